"""CreateTrail, UpdateTrail, DeleteTrail."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.arn import trail_arn
from kms_server.operations import access
from kms_server.operations.call import Answer, Call
from kms_server.operations.trails import common, options, tag_rules
from kms_server.storage import trails
from kms_server.storage.trails import Trail

# Members of requests that say where to a trail delivers.
_DELIVERY = ("S3BucketName", "S3KeyPrefix", "KmsKeyId")


def create_trail(call: Call, connection: Connection) -> Answer:
    """Make a trail, which does not log yet (AWS CreateTrail)."""
    trail = _planned(call, connection)
    trails.add(call.writing, trail)
    trails.put_tags(call.writing, trail.trail_id, tag_rules.checked(call.get("TagsList", [])))
    call.touches(common.TRAIL, trail.arn)
    return shown(trail)


def update_trail(call: Call, connection: Connection) -> Answer:
    """Change settings of a trail; those that are not sent stay (AWS UpdateTrail)."""
    trail, changes = _changed(call, connection)
    trails.change(call.writing, trail.trail_id, **changes)
    return shown(trail)


def delete_trail(call: Call, connection: Connection) -> Answer:
    """Delete a trail; what it has recorded is still delivered (AWS DeleteTrail)."""
    trail = common.find_at_home(call, connection, call.parameters["Name"])
    stopped = {"stopped_at": call.time} if trail.logging else {}
    trails.change(call.writing, trail.trail_id, logging=False, deleted_at=call.time, **stopped)
    return {}


def prepare_create(call: Call) -> None:
    """Look at the bucket of a new trail before any writer would have to wait for it."""
    with call.services.database.read() as connection:
        trail = _planned(call, connection)
    call.services.bucket_check(trail)
    _make_key(call, trail)


def prepare_update(call: Call) -> None:
    """Look at the bucket of a trail, if that is to change."""
    with call.services.database.read() as connection:
        trail, _ = _changed(call, connection)
    if any(name in call.parameters for name in _DELIVERY):
        call.services.bucket_check(trail)
    _make_key(call, trail)


def shown(trail: Trail) -> dict[str, Any]:
    """A trail's settings as answers show them; what it has not is left out."""
    settings = {
        "Name": trail.name,
        "S3BucketName": trail.bucket,
        "S3KeyPrefix": trail.prefix or None,
        "IncludeGlobalServiceEvents": trail.global_events,
        "IsMultiRegionTrail": trail.multi_region,
        "TrailARN": trail.arn,
        "LogFileValidationEnabled": trail.validation,
        "KmsKeyId": trail.kms_key,
        "IsOrganizationTrail": False,
        "RecursiveLogging": True,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _planned(call: Call, connection: Connection) -> Trail:
    """The trail that a request would make."""
    name = call.parameters["Name"]
    common.check_name(name)
    arn = trail_arn(call.region, call.account, name)
    common.allow(call, connection, arn, None)
    if call.get("TagsList"):
        access.allow_without_key(call, arn, action="cloudtrail:AddTags")
    options.refuse_absent(call)
    trail = Trail(
        trail_id=uuid4().hex, account=call.account, region=call.region, name=name,
        bucket=call.parameters["S3BucketName"], created_at=call.time, prefix=call.get("S3KeyPrefix", ""),
        kms_key=options.key_arn(call, call.get("KmsKeyId", "")),
        global_events=call.get("IncludeGlobalServiceEvents", default=True),
        multi_region=call.get("IsMultiRegionTrail", default=False),
        validation=call.get("EnableLogFileValidation", default=False),
    )  # fmt: skip
    options.check(trail)
    tag_rules.checked(call.get("TagsList", []))
    _require_room(call, connection, trail)
    return trail


def _require_room(call: Call, connection: Connection, trail: Trail) -> None:
    existing = trails.of_account(connection, call.account)
    seen = [one for one in existing if one.is_seen_in(trail.region)]
    if any(one.name == trail.name for one in (existing if trail.multi_region else seen)):
        raise e.TrailAlreadyExistsException(f"Trail {trail.name} already exists for customer: {call.account}")
    most = call.services.limits.trails_per_region
    if len(seen) >= most:
        raise e.MaximumNumberOfTrailsExceededException(
            f"User: {call.account} already has {most} trails in {trail.region}."
        )


def _changed(call: Call, connection: Connection) -> tuple[Trail, dict[str, Any]]:
    """The trail as a request would change it, and the columns that it has."""
    trail = common.find_at_home(call, connection, call.parameters["Name"])
    options.refuse_absent(call)
    changes = {
        "bucket": call.get("S3BucketName", trail.bucket),
        "prefix": call.get("S3KeyPrefix", trail.prefix),
        "global_events": call.get("IncludeGlobalServiceEvents", trail.global_events),
        "multi_region": call.get("IsMultiRegionTrail", trail.multi_region),
        "validation": call.get("EnableLogFileValidation", trail.validation),
    }
    if "KmsKeyId" in call.parameters:
        changes["kms_key"] = options.key_arn(call, call.parameters["KmsKeyId"])
    changed = replace(trail, **changes)
    options.check(changed)
    return changed, changes


def _make_key(call: Call, trail: Trail) -> None:
    """Have a key that signs digests from the first trail with them on, for ListPublicKeys."""
    if trail.validation:
        call.services.signing_keys.current(call.time)
