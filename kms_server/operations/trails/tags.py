"""AddTags, RemoveTags, ListTags."""

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.operations.call import Answer, Call
from kms_server.operations.trails import common, tag_rules
from kms_server.storage import trails
from kms_server.storage.trails import Trail

_MOST_RESOURCES = 20
# What else has tags on AWS.
_OTHER_KINDS = frozenset({"channel", "dashboard", "eventdatastore"})


def add_tags(call: Call, connection: Connection) -> Answer:
    """Add tags to a trail or replace their values (AWS AddTags)."""
    trail = _find(call, connection, call.parameters["ResourceId"])
    wanted = tag_rules.checked(call.parameters["TagsList"])
    tag_rules.require_room(trails.tags(connection, trail.trail_id) | wanted)
    trails.put_tags(call.writing, trail.trail_id, wanted)
    return {}


def remove_tags(call: Call, connection: Connection) -> Answer:
    """Remove tags of a trail by their keys; absent ones are ignored (AWS RemoveTags)."""
    trail = _find(call, connection, call.parameters["ResourceId"])
    wanted = tag_rules.checked(call.parameters["TagsList"])
    trails.remove_tags(call.writing, trail.trail_id, list(wanted))
    return {}


def list_tags(call: Call, connection: Connection) -> Answer:
    """The tags of trails (AWS ListTags)."""
    if call.get("NextToken"):
        raise e.InvalidTokenException("The token is invalid.")
    wanted = call.parameters["ResourceIdList"]
    if len(wanted) > _MOST_RESOURCES:
        raise e.ValidationException(f"ResourceIdList can have at most {_MOST_RESOURCES} ARNs.")
    found = [
        (arn, trails.tags(connection, _find(call, connection, arn).trail_id)) for arn in dict.fromkeys(wanted)
    ]
    return {"ResourceTagList": [{"ResourceId": arn, "TagsList": _shown(tags)} for arn, tags in found]}


def _shown(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} if value else {"Key": key} for key, value in tags.items()]


def _find(call: Call, connection: Connection, arn: str) -> Trail:
    """The trail with that ARN, when the caller may perform the operation on it.

    Raises:
        CloudTrailARNInvalidException: it is no ARN, or one of another Region or account.
        ResourceTypeNotSupportedException: it is that of something else.
        ResourceNotFoundException, AccessDeniedException
    """
    parts = common.trail_arn_parts(call, arn)
    kind, _, name = parts.resource.partition("/")
    if kind in _OTHER_KINDS:
        raise e.ResourceTypeNotSupportedException(f"Resources of type {kind} are not supported.")
    if kind != "trail":
        raise common.invalid_arn(arn)
    if parts.region != call.region:
        raise e.CloudTrailARNInvalidException(
            f"Region in ARN is wrong, you can only access resources in region {call.region}."
        )
    trail = trails.find(connection, call.account, parts.region, name)
    common.allow(call, connection, arn, trail)
    if trail is None:
        raise e.ResourceNotFoundException(f"Resource not found: {arn}")
    return trail
