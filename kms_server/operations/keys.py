"""The life of a KMS key: create, describe, list, enable, disable, schedule and cancel deletion."""

from kms_server import errors as e
from kms_server.arn import key_arn
from kms_server.keys import deletion, imports, rotation, specs, states
from kms_server.keys import tags as tag_rules
from kms_server.keys.identifiers import new_key_id
from kms_server.keys.key import AWS_KMS, EXTERNAL, BackingKey, KmsKey
from kms_server.keys.states import KeyState
from kms_server.operations import access, material
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.guards import customer_managed
from kms_server.operations.paging import page
from kms_server.operations.policies import new_policy
from kms_server.schemas import keys as schemas
from kms_server.storage import keys, tags


def create_key(call: Call) -> Answer:
    """Create a KMS key with its first material (AWS CreateKey)."""
    access.allow_without_key(call)
    spec = _requested_spec(call)
    usage = _requested_usage(call, spec)
    origin = _requested_origin(call, spec)
    wanted = tag_rules.checked(call.get("Tags") or [])
    key_id = new_key_id(multi_region=bool(call.get("MultiRegion")))
    arn = key_arn(call.region, call.account, key_id)
    if wanted:
        access.allow_without_key(call, arn, action="kms:TagResource")
    key = KmsKey(
        key_id=key_id, account=call.account, region=call.region, spec=spec.name, usage=usage, origin=origin,
        manager="CUSTOMER", state=KeyState.PENDING_IMPORT if origin == EXTERNAL else KeyState.ENABLED,
        description=call.get("Description", ""), policy=new_policy(call, arn), created_at=call.time,
        primary_region=call.region if call.get("MultiRegion") else None,
    )  # fmt: skip
    require_room(call, call.region)
    versions = [] if origin == EXTERNAL else [_first_version(call, key, spec)]
    keys.add(call.writing, key, versions)
    tags.put(call.writing, key, wanted)
    call.touches(access.KEY, key.arn)
    return {"KeyMetadata": key.metadata(versions, [call.region])}


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
    window = call.get("PendingWindowInDays", 30)
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
    versions = keys.get_backing_keys(call.connection, key)
    state = imports.state_of(key, versions, KeyState.DISABLED)
    keys.change(call.writing, key, state=state, deletion_date=None, pending_window_days=None)
    return {"KeyId": key.arn}


def _first_version(call: Call, key: KmsKey, spec: specs.KeySpec) -> BackingKey:
    fresh = call.services.material.take(spec, may_block=False)
    return material.first(key, call.services.root_key, fresh)


def _requested_spec(call: Call) -> specs.KeySpec:
    spec, older = call.get("KeySpec"), call.get("CustomerMasterKeySpec")
    if spec is not None and older is not None:
        raise e.ValidationException(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    name = spec or older or specs.SYMMETRIC_DEFAULT.name
    if name != specs.SYMMETRIC_DEFAULT.name and call.get("KeyUsage") is None:
        raise e.ValidationException(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        )
    return specs.find(name)


def _requested_usage(call: Call, spec: specs.KeySpec) -> str:
    usage: str = call.get("KeyUsage", "ENCRYPT_DECRYPT")
    if usage not in spec.algorithms:
        raise e.ValidationException(f"KeyUsage {usage} is not compatible with KeySpec {spec.name}")
    return usage


def _requested_origin(call: Call, spec: specs.KeySpec) -> str:
    store = call.get("CustomKeyStoreId")
    if store is not None:
        raise e.CustomKeyStoreNotFoundException(f"Custom key store {store} does not exist.")
    origin: str = call.get("Origin", AWS_KMS)
    if origin not in {AWS_KMS, EXTERNAL} or call.get("XksKeyId") is not None:
        raise e.UnsupportedOperationException("Custom key stores are not supported.")
    if origin == EXTERNAL and not spec.wrapping:
        raise e.UnsupportedOperationException(f"Key material of {spec.name} cannot be imported.")
    return origin


def require_room(call: Call, region: str) -> None:
    """Check that the account may have one more key in a Region.

    Raises:
        LimitExceededException: it has as many as it may.
    """
    limit = call.services.limits.keys_per_region
    if keys.count_customer_keys(call.connection, call.account, region) >= limit:
        raise e.LimitExceededException(f"The limit of {limit} KMS keys in Region {region} is reached.")


_ERRORS = (
    e.NotFoundException, e.InvalidArnException, e.DependencyTimeoutException, e.KMSInternalException,
    e.KMSInvalidStateException,
)  # fmt: skip

OPERATIONS = (
    Operation(
        "CreateKey", create_key, schemas.CreateKeyRequest, schemas.CreateKeyResponse, Plane.WRITE,
        "Creates a KMS key.",
        logged=("Policy", "Description", "KeyUsage", "KeySpec", "CustomerMasterKeySpec", "Origin",
                "CustomKeyStoreId", "XksKeyId", "BypassPolicyLockoutSafetyCheck", "Tags", "MultiRegion"),
        answers=("KeyMetadata",),
        errors=(e.MalformedPolicyDocumentException, e.UnsupportedOperationException, e.LimitExceededException,
                e.TagException, e.CustomKeyStoreNotFoundException, e.InvalidArnException,
                e.DependencyTimeoutException, e.KMSInternalException),
    ),
    Operation(
        "DescribeKey", describe_key, schemas.DescribeKeyRequest, schemas.DescribeKeyResponse, Plane.READ,
        "Returns the metadata of a KMS key.", logged=("KeyId",), aliases_allowed=True, cross_account=True,
        rule=states.READ,
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
        errors=_ERRORS,
    ),
    Operation(
        "EnableKey", enable_key, schemas.EnableKeyRequest, None, Plane.WRITE,
        "Enables a disabled KMS key.", logged=("KeyId",), rule=states.SWITCH,
        errors=(*_ERRORS, e.LimitExceededException),
    ),
    Operation(
        "DisableKey", disable_key, schemas.DisableKeyRequest, None, Plane.WRITE,
        "Disables a KMS key.", logged=("KeyId",), rule=states.SWITCH, errors=_ERRORS,
    ),
    Operation(
        "ScheduleKeyDeletion", schedule_key_deletion, schemas.ScheduleKeyDeletionRequest,
        schemas.ScheduleKeyDeletionResponse, Plane.WRITE, "Schedules the deletion of a KMS key.",
        logged=("KeyId", "PendingWindowInDays"),
        answers=("KeyId", "KeyState", "DeletionDate", "PendingWindowInDays"),
        rule=states.SCHEDULE_DELETION, errors=_ERRORS,
    ),
    Operation(
        "CancelKeyDeletion", cancel_key_deletion, schemas.CancelKeyDeletionRequest,
        schemas.CancelKeyDeletionResponse, Plane.WRITE, "Cancels the deletion of a KMS key.",
        logged=("KeyId",), answers=("KeyId",), rule=states.CANCEL_DELETION, errors=_ERRORS,
    ),
)  # fmt: skip
