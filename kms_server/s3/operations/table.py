"""The table of contents: every S3 operation, and which one a request is for."""

from collections.abc import Mapping

from kms_server.s3.call import Level, S3Operation
from kms_server.s3.errors import MethodNotAllowed, NotBuilt
from kms_server.s3.operations import (
    attributes,
    buckets,
    completion,
    configuration,
    copies,
    deletion,
    encryption,
    listing,
    multipart,
    object_settings,
    objects,
    post,
    unbuilt,
)

OPERATIONS: tuple[S3Operation, ...] = (
    *buckets.OPERATIONS,
    *configuration.OPERATIONS,
    *encryption.OPERATIONS,
    *listing.OPERATIONS,
    *objects.OPERATIONS,
    *attributes.OPERATIONS,
    *object_settings.OPERATIONS,
    *deletion.OPERATIONS,
    *copies.OPERATIONS,
    *multipart.OPERATIONS,
    *completion.OPERATIONS,
    *post.OPERATIONS,
)

# Subresources of S3 that are not built; a request that names one must not be taken for the plain operation.
_NOT_BUILT = frozenset(
    {
        "accelerate", "analytics", "annotation", "cors", "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "logging",
        "metadataConfiguration", "metadataTable", "metrics", "notification", "object-lock", "renameObject",
        "replication", "requestPayment", "retention", "select", "session", "torrent", "website", "abac",
    }
)  # fmt: skip
_SUBRESOURCES = _NOT_BUILT | {
    query for operation in OPERATIONS for query in operation.queries if "=" not in query
}
# What reads an object takes the number of a part, too.
_SUBRESOURCES_OF = {method: _SUBRESOURCES - {"partNumber"} for method in ("GET", "HEAD")}


def _by_place() -> dict[tuple[str, Level], list[S3Operation]]:
    """Operations by method and level, those that ask for most first."""
    places: dict[tuple[str, Level], list[S3Operation]] = {}
    for operation in OPERATIONS:
        places.setdefault((operation.method, operation.level), []).append(operation)
    for found in places.values():
        found.sort(key=lambda one: len(one.queries) + (one.header is not None), reverse=True)
    return places


_PLACES = _by_place()
_UNBUILT = {(one.method, one.level, one.queries[0]): one for one in unbuilt.OPERATIONS}


def find(method: str, level: Level, query: Mapping[str, str], headers: Mapping[str, str]) -> S3Operation:
    """The operation that a request is for; it may be one that only tells that it is not built.

    Raises:
        MethodNotAllowed, NotBuilt: there is none.
    """
    subresources = _SUBRESOURCES_OF.get(method, _SUBRESOURCES)
    for operation in _PLACES.get((method, level), ()):
        if _asks(operation, query, headers):
            # The plain operation is not meant where a subresource is named that has another method.
            if not operation.queries and not subresources.isdisjoint(query):
                break
            return operation
    named = [name for name in query if name in _NOT_BUILT]
    if named:
        # What has a name of its own gets as far as its record.
        refused = _UNBUILT.get((method, level, named[0]))
        if refused is None:
            raise NotBuilt
        return refused
    raise MethodNotAllowed(Method=method, ResourceType=level.value.upper())


def _asks(operation: S3Operation, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    for wanted in operation.queries:
        name, equals, value = wanted.partition("=")
        if name not in query or (equals and query[name] != value):
            return False
    return operation.header is None or operation.header in headers
