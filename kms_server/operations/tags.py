"""TagResource, UntagResource, ListResourceTags."""

from kms_server import errors as e
from kms_server.keys import states
from kms_server.keys import tags as rules
from kms_server.operations import access
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import KEY, request_tags, sent
from kms_server.operations.guards import customer_managed
from kms_server.operations.paging import page
from kms_server.schemas import tags as schemas
from kms_server.storage import tags


def tag_resource(call: Call) -> Answer:
    """Add or replace tags of a key (AWS TagResource)."""
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    wanted = rules.checked(call.parameters["Tags"])
    rules.require_room(tags.of_key(call.connection, key) | wanted)
    tags.put(call.writing, key, wanted)
    call.answered_extra = {"keyId": key.arn}
    return None


def untag_resource(call: Call) -> Answer:
    """Remove tags of a key; absent ones are ignored (AWS UntagResource)."""
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    names = call.parameters["TagKeys"]
    rules.checked_names(names)
    tags.remove(call.writing, key, names)
    call.answered_extra = {"keyId": key.arn}
    return None


def list_resource_tags(call: Call) -> Answer:
    """The tags of a key (AWS ListResourceTags)."""
    key = access.use_key(call, call.parameters["KeyId"]).key
    with call.services.database.read() as connection:
        stored = tags.of_key(connection, key)
    found, rest = page(
        call, lambda after, count: [name for name in sorted(stored) if name > after][:count], str,
        default=50, maximum=50,
    )  # fmt: skip
    return {"Tags": [{"TagKey": name, "TagValue": stored[name]} for name in found], **rest}


_ERRORS = (e.NotFoundException, e.InvalidArnException, e.KMSInternalException)

OPERATIONS = (
    Operation(
        "TagResource", tag_resource, schemas.TagResourceRequest, None, Plane.WRITE,
        "Adds or replaces tags of a KMS key.", logged=("KeyId", "Tags"), rule=states.CHANGE,
        conditions={**KEY, **request_tags()},
        errors=(*_ERRORS, e.KMSInvalidStateException, e.LimitExceededException, e.TagException),
    ),
    Operation(
        "UntagResource", untag_resource, schemas.UntagResourceRequest, None, Plane.WRITE,
        "Removes tags of a KMS key.", logged=("KeyId", "TagKeys"), rule=states.CHANGE,
        conditions={**KEY, "aws:TagKeys": sent("TagKeys")},
        errors=(*_ERRORS, e.KMSInvalidStateException, e.TagException),
    ),
    Operation(
        "ListResourceTags", list_resource_tags, schemas.ListResourceTagsRequest,
        schemas.ListResourceTagsResponse, Plane.READ, "Lists the tags of a KMS key.",
        logged=("KeyId", "Limit", "Marker"), rule=states.READ, conditions=KEY,
        errors=(*_ERRORS, e.InvalidMarkerException),
    ),
)  # fmt: skip
