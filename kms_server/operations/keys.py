"""The life of a KMS key: describe, list, enable, disable, schedule and cancel deletion."""

from kms_server import errors as e
from kms_server.arn import key_arn
from kms_server.keys import deletion, imports, rotation, states
from kms_server.keys.states import KeyState
from kms_server.operations import access
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import KEY, KEY_BY_ALIAS, sent
from kms_server.operations.guards import customer_managed
from kms_server.operations.paging import page
from kms_server.operations.usage import trailing_days
from kms_server.schemas import keys as schemas
from kms_server.storage import keys

_DEFAULT_WINDOW = 30


def describe_key(call: Call) -> Answer:
    """The metadata of a key (AWS DescribeKey)."""
    return {"KeyMetadata": access.use_key(call, call.parameters["KeyId"]).metadata()}


def list_keys(call: Call) -> Answer:
    """The keys of the caller's account and Region (AWS ListKeys)."""
    access.allow_without_key(call)
    owners = call.get("ResourceOwners") or ["SELF"]
    with call.services.database.read() as connection:
        found, rest = page(
            call,
            lambda after, count: (
                keys.page(connection, call.account, call.region, after, count) if "SELF" in owners else []
            ),
            str,
            default=100,
            maximum=1000,
        )
    listed = [{"KeyId": one, "KeyArn": key_arn(call.region, call.account, one)} for one in found]
    return {"Keys": listed, **rest}


def update_key_description(call: Call) -> Answer:
    """Replace a key's description (AWS UpdateKeyDescription)."""
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    keys.change(call.writing, key, description=call.parameters["Description"])
    return None


def enable_key(call: Call) -> Answer:
    """Let a disabled key be used again (AWS EnableKey)."""
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    keys.change(call.writing, key, state=KeyState.ENABLED)
    overdue = rotation.overdue(key, call.time)
    if overdue:
        keys.change_members(call.writing, key, **overdue)
    call.answered_extra = {"keyId": key.arn}
    return None


def disable_key(call: Call) -> Answer:
    """Refuse every use of a key from now on (AWS DisableKey)."""
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    keys.change(call.writing, key, state=KeyState.DISABLED)
    call.answered_extra = {"keyId": key.arn}
    return None


def schedule_key_deletion(call: Call) -> Answer:
    """Destroy a key after a waiting period of 7 to 30 days (AWS ScheduleKeyDeletion)."""
    window = call.get("PendingWindowInDays", _DEFAULT_WINDOW)
    if not 7 <= window <= 30:
        raise e.ValidationException("PendingWindowInDays must be between 7 and 30 days.")
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    changes = deletion.scheduled(key, keys.regions(call.connection, key.key_id), call.time, window)
    keys.change(call.writing, key, **changes)
    answer: dict[str, object] = {"KeyId": key.arn, "PendingWindowInDays": window}
    answer["KeyState"] = changes["state"]
    if "deletion_date" in changes:
        answer["DeletionDate"] = changes["deletion_date"]
    return answer


def cancel_key_deletion(call: Call) -> Answer:
    """Keep a key that was to be deleted; it is disabled (AWS CancelKeyDeletion)."""
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    if deletion.is_due(key, call.time):
        raise e.NotFoundException(f"Key '{key.arn}' does not exist")
    versions = keys.get_backing_keys(call.connection, key)
    state = imports.state_of(key, versions, KeyState.DISABLED)
    keys.change(call.writing, key, state=state, deletion_date=None, pending_window_days=None)
    return {"KeyId": key.arn}


_ERRORS = (
    e.NotFoundException, e.InvalidArnException, e.DependencyTimeoutException, e.KMSInternalException,
    e.KMSInvalidStateException,
)  # fmt: skip

OPERATIONS = (
    Operation(
        "DescribeKey", describe_key, schemas.DescribeKeyRequest, schemas.DescribeKeyResponse, Plane.READ,
        "Returns the metadata of a KMS key.", logged=("KeyId",), aliases_allowed=True, cross_account=True,
        rule=states.READ, conditions=KEY_BY_ALIAS,
        errors=(e.NotFoundException, e.InvalidArnException, e.DependencyTimeoutException, e.KMSInternalException),
    ),
    Operation(
        "ListKeys", list_keys, schemas.ListKeysRequest, schemas.ListKeysResponse, Plane.READ,
        "Lists the KMS keys of the account and Region.", logged=("Limit", "Marker", "ResourceOwners"),
        errors=(e.DependencyTimeoutException, e.KMSInternalException, e.InvalidMarkerException),
    ),
    Operation(
        "UpdateKeyDescription", update_key_description, schemas.UpdateKeyDescriptionRequest, None, Plane.WRITE,
        "Replaces the description of a KMS key.", logged=("KeyId", "Description"), rule=states.CHANGE,
        conditions=KEY, errors=_ERRORS,
    ),
    Operation(
        "EnableKey", enable_key, schemas.EnableKeyRequest, None, Plane.WRITE,
        "Enables a disabled KMS key.", logged=("KeyId",), rule=states.SWITCH,
        conditions=KEY, errors=(*_ERRORS, e.LimitExceededException),
    ),
    Operation(
        "DisableKey", disable_key, schemas.DisableKeyRequest, None, Plane.WRITE,
        "Disables a KMS key.", logged=("KeyId",), rule=states.SWITCH, errors=_ERRORS,
        conditions={**KEY, "kms:TrailingDaysWithoutKeyUsage": trailing_days},
    ),
    Operation(
        "ScheduleKeyDeletion", schedule_key_deletion, schemas.ScheduleKeyDeletionRequest,
        schemas.ScheduleKeyDeletionResponse, Plane.WRITE, "Schedules the deletion of a KMS key.",
        logged=("KeyId", "PendingWindowInDays"),
        answers=("KeyId", "KeyState", "DeletionDate", "PendingWindowInDays"),
        rule=states.SCHEDULE_DELETION, errors=_ERRORS,
        conditions={
            **KEY, "kms:TrailingDaysWithoutKeyUsage": trailing_days,
            "kms:ScheduleKeyDeletionPendingWindowInDays": sent("PendingWindowInDays", _DEFAULT_WINDOW),
        },
    ),
    Operation(
        "CancelKeyDeletion", cancel_key_deletion, schemas.CancelKeyDeletionRequest,
        schemas.CancelKeyDeletionResponse, Plane.WRITE, "Cancels the deletion of a KMS key.",
        logged=("KeyId",), answers=("KeyId",), rule=states.CANCEL_DELETION, errors=_ERRORS,
        conditions=KEY,
    ),
)  # fmt: skip
