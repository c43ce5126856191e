"""A bucket of our own S3 layer as the destination of a trail.

It is written by the service cloudtrail.amazonaws.com, which the bucket's policy must let in, and read by the operator, for
whom no policy is asked.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

from kms_server.audit.trail import names
from kms_server.audit.trail.destination import Delivered, DestinationError, NoSuchFile
from kms_server.errors import ServiceError
from kms_server.iam.principal import Principal
from kms_server.protocol.canonical import UNRESERVED
from kms_server.protocol.message import Request, TlsDetails
from kms_server.s3 import content
from kms_server.s3.blobs.store import BlobMissing, StoreUnavailable
from kms_server.s3.call import S3Services
from kms_server.s3.ranges import Span
from kms_server.s3.reading import Found, opened_manifest
from kms_server.server.s3_operator import operator_call
from kms_server.server.s3_pipeline import S3Pipeline
from kms_server.server.trail_headers import put_headers, user_metadata
from kms_server.storage import buckets, object_lists, objects
from kms_server.storage.buckets import Bucket
from kms_server.storage.trails import Trail

_SERVICE = "cloudtrail.amazonaws.com"
_PAGE = 1_000
_WITHIN_THE_PROCESS = TlsDetails("", "")


class OwnBucket:
    """A `Destination` of a trail; `reader` is asked for when something is read."""

    def __init__(self, name: str, trail: Trail, writer: S3Pipeline, reader: Callable[[], S3Services]) -> None:
        self._name = name
        self._trail = trail
        self._writer = writer
        self._reader = reader
        self._principal = Principal.service(_SERVICE, trail.account, trail.arn)

    def lets_in(self) -> bool:
        """Whether the policy of the bucket lets CloudTrail see its access list, and write to where the trail delivers.

        Raises:
            DestinationError: there is no such bucket.
        """
        sample = f"{names.account_folder(self._trail)}/any"
        with _failing():
            return self._may_see() and self._writer.allows(self._put(sample, b"", {}), self._principal)

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """See `Destination`."""
        with _failing():
            # CloudTrail looks at the access list first; it says nothing here, but its permission counts.
            if not self._may_see():
                raise DestinationError("AccessDenied", "the bucket's policy allows no s3:GetBucketAcl")
            self._writer.perform(self._put(key, body, metadata), self._principal)

    def get(self, key: str) -> Delivered:
        """See `Destination`."""
        services = self._reader()
        bucket = self._bucket(services)
        with _failing(), services.shared.database.read() as connection:
            version = objects.current(connection, bucket.bucket_id, key)
            if version is None or version.is_marker:
                raise NoSuchFile
            found = Found.of(connection, bucket, version)
        with _failing():
            encryption, span = services.encryption, Span(0, version.size)
            keys = encryption.open(operator_call(services), found.envelope, found.target)
            opened_manifest(encryption, keys, found)
            content.check(services.blobs, found.parts, span)
            body = b"".join(content.read(services.blobs, keys, found.parts, span))
        return Delivered(body, user_metadata(found.headers))

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Destination`."""
        services = self._reader()
        bucket = self._bucket(services)
        after: bytes | None = None
        while True:
            with services.shared.database.read() as connection:
                page = object_lists.list_current(connection, bucket.bucket_id, prefix.encode(), after, _PAGE)
            yield from (version.key for version in page)
            if len(page) < _PAGE:
                return
            after = page[-1].key.encode()

    def _may_see(self) -> bool:
        request = Request("GET", f"/{self._name}?acl", {}, b"", "", _WITHIN_THE_PROCESS)
        return self._writer.allows(request, self._principal)

    def _put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> Request:
        target = f"/{self._name}/{quote(key, safe=f'/{UNRESERVED}')}"
        headers = {"content-length": str(len(body)), **put_headers(self._trail, metadata)}
        return Request("PUT", target, headers, body, "", _WITHIN_THE_PROCESS)

    def _bucket(self, services: S3Services) -> Bucket:
        with services.shared.database.read() as connection:
            found = buckets.get(connection, self._name)
        if found is None:
            raise DestinationError("NoSuchBucket")
        return found


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        raise DestinationError(error.code, error.message) from None
    except BlobMissing:
        raise DestinationError("InternalError", "sealed bytes of the object are missing") from None
    except StoreUnavailable as error:
        raise DestinationError("ServiceUnavailable", str(error)) from None
