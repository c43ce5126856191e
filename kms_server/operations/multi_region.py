"""ReplicateKey, UpdatePrimaryRegion."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from kms_server import errors as e
from kms_server.arn import is_region
from kms_server.audit.record import Echo
from kms_server.iam.key_policies import pretty
from kms_server.keys import imports, states
from kms_server.keys import tags as tag_rules
from kms_server.keys.key import KmsKey
from kms_server.keys.states import KeyState
from kms_server.operations import access, limits, material, principals
from kms_server.operations.call import Answer, Call, Countable, Operation, Plane, by_lookup
from kms_server.operations.condition_keys import BYPASS, KEY, PROPERTIES, request_tags, sent
from kms_server.operations.context import CallContext
from kms_server.operations.creation import require_room
from kms_server.operations.lockout import new_policy
from kms_server.operations.recording import plain
from kms_server.quotas.plans import Count
from kms_server.schemas import multi_region as schemas
from kms_server.storage import keys, tags

_OTHER_PARTITIONS = ("cn-", "us-gov-", "us-iso", "eu-iso")
_KIND_OF_NEW_KEY = ("responseElements", "keyMetadata", "multiRegionConfiguration", "multiRegionKeyType")


def replicate_key(call: Call) -> Answer:
    """A replica of a multi-Region primary key in another Region (AWS ReplicateKey)."""
    primary = _primary(call)
    region = call.parameters["ReplicaRegion"]
    if region.startswith(_OTHER_PARTITIONS):
        raise e.ValidationException(f"Region {region} is not in the partition of {primary.arn}.")
    replica = _replica(call, primary, region)
    wanted = _allow_creation(call, replica)
    members = keys.regions(call.connection, primary.key_id)
    if region in members:
        raise e.AlreadyExistsException(
            f"Unable to create a replica of {primary.arn}: {replica.arn} already exists."
        )
    require_room(call, region)
    replica = replace(replica, policy=new_policy(call, replica, wanted))
    keys.add(call.writing, replica, [
        material.copy(primary, version, replica, call.services.root_key)
        for version in keys.get_backing_keys(call.connection, primary)
    ])  # fmt: skip
    material.hold_pending(call.writing, primary.key_id)
    tags.put(call.writing, replica, wanted)
    shown = replace(replica, state=KeyState.CREATING).metadata([], [*members, region])
    call.echoes = (_created(replica, shown),)
    policy = pretty(principals.shown(call.connection, replica.policy))
    answer: dict[str, object] = {"ReplicaKeyMetadata": shown, "ReplicaPolicy": policy}
    if wanted:
        answer["ReplicaTags"] = call.parameters["Tags"]
    return answer


def update_primary_region(call: Call) -> Answer:
    """Make another member of a multi-Region key its primary (AWS UpdatePrimaryRegion)."""
    primary = _primary(call)
    region = call.parameters["PrimaryRegion"]
    target = access.load(call, primary.key_id, region)
    if target is None:
        raise e.NotFoundException(f"Key '{primary.arn_in(region)}' does not exist")
    access.allow(call, target)
    access.require_fit(call, target)
    keys.change_members(call.writing, primary, primary_region=region)
    call.answered_extra = {"keyId": primary.arn}
    if region != primary.region:
        moved = {"keyId": primary.arn, "primaryRegion": region}
        call.resources = call.resources[:1]
        call.echoes = (Echo(call.operation.name, region, moved, {"keyId": target.key.arn}, ()),)
    return None


def _created(replica: KmsKey, shown: Mapping[str, object]) -> Echo:
    """CreateKey, as the Region of the replica has it."""
    asked = {
        "description": replica.description, "keyUsage": replica.usage, "keySpec": replica.spec,
        "origin": replica.origin, "multiRegion": True,
    }  # fmt: skip
    elements = plain("", {"KeyMetadata": shown})
    return Echo("CreateKey", replica.region, asked, elements, ((access.KEY, replica.arn),))


def is_echo(record: Mapping[str, Any]) -> bool:
    """Whether a record tells what a call of another Region, which has a record there, did in this one."""
    if record["eventName"] == "UpdatePrimaryRegion":
        moved_here = _within(record, "requestParameters", "primaryRegion") == record["awsRegion"]
        return moved_here and not record.get("resources") and not record.get("errorCode")
    # CreateKey itself makes no replica.
    return record["eventName"] == "CreateKey" and _within(record, *_KIND_OF_NEW_KEY) == "REPLICA"


def _within(record: object, *names: str) -> object:
    for name in names:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def _primary(call: Call) -> KmsKey:
    usable = access.authorized_key(call, call.parameters["KeyId"])
    if usable.key.primary_region != usable.key.region:
        raise e.UnsupportedOperationException(f"{usable.key.arn} is not a multi-region primary key.")
    access.require_fit(call, usable)
    return usable.key


def _allow_creation(call: Call, replica: KmsKey) -> dict[str, str]:
    """The tags of the replica, when the caller may make it in its Region, and tag it."""
    context = CallContext(call, planned=replica, conditions=_CREATION)
    access.allow_without_key(call, replica.arn, action="kms:CreateKey", context=context)
    wanted = tag_rules.checked(call.get("Tags") or [])
    if wanted:
        access.allow_without_key(call, replica.arn, action="kms:TagResource", context=context)
    return wanted


def _replica(call: Call, primary: KmsKey, region: str) -> KmsKey:
    """The replica: it shares id, material and rotation, and has a policy, description and state of its own."""
    replica = replace(
        primary, region=region, policy="", description=call.get("Description", ""),
        created_at=call.time,
    )  # fmt: skip
    return replace(replica, state=imports.state_of(replica, [], KeyState.ENABLED))


def _counts_of_replica(call: Countable) -> tuple[Count, ...]:
    """One call here, and two CreateKey in the Region of the replica."""
    return limits.own_count(call), *_elsewhere(call, "ReplicaRegion", "CreateKey", 2)


def _counts_of_move(call: Countable) -> tuple[Count, ...]:
    """One call in each of the two Regions."""
    return limits.own_count(call), *_elsewhere(call, "PrimaryRegion", call.operation.name, 1)


def _elsewhere(call: Countable, member: str, quota_id: str, tokens: int) -> Iterator[Count]:
    region = call.document.get(member)
    if isinstance(region, str) and is_region(region):
        yield call.account, region, quota_id, tokens


# Of CreateKey, as the Region of the replica judges it.
_CREATION = by_lookup({**PROPERTIES, **BYPASS, **request_tags()})
OPERATIONS = (
    Operation(
        "ReplicateKey", replicate_key, schemas.ReplicateKeyRequest, schemas.ReplicateKeyResponse, Plane.WRITE,
        "Replicates a multi-Region key into another Region.",
        logged=("KeyId", "ReplicaRegion", "Policy", "BypassPolicyLockoutSafetyCheck", "Description", "Tags"),
        answers=("ReplicaKeyMetadata", "ReplicaPolicy", "ReplicaTags"), rule=states.REPLICATE, counts=_counts_of_replica,
        conditions={**KEY, **BYPASS, **request_tags(), "kms:ReplicaRegion": sent("ReplicaRegion")},
        errors=(e.AlreadyExistsException, e.DisabledException, e.InvalidArnException, e.KMSInvalidStateException,
                e.KMSInternalException, e.LimitExceededException, e.MalformedPolicyDocumentException,
                e.NotFoundException, e.TagException, e.UnsupportedOperationException),
    ),
    Operation(
        "UpdatePrimaryRegion", update_primary_region, schemas.UpdatePrimaryRegionRequest, None, Plane.WRITE,
        "Changes which member of a multi-Region key is its primary.", logged=("KeyId", "PrimaryRegion"),
        rule=states.MOVE_PRIMARY, counts=_counts_of_move, conditions={**KEY, "kms:PrimaryRegion": sent("PrimaryRegion")},
        errors=(e.DisabledException, e.InvalidArnException, e.KMSInvalidStateException, e.KMSInternalException,
                e.NotFoundException, e.UnsupportedOperationException),
    ),
)  # fmt: skip
