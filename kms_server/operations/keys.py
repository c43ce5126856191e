"""The life of a KMS key: create, describe, list, enable, disable, schedule and cancel deletion."""

from kms_server import errors as e
from kms_server.arn import key_arn
from kms_server.clock import DAY
from kms_server.iam.evaluate import KeyAuthority, may_change_policy
from kms_server.iam.policy import compile_key_policy, default_key_policy
from kms_server.keys import specs, states
from kms_server.keys import tags as tag_rules
from kms_server.keys.identifiers import new_key_id
from kms_server.keys.key import KmsKey
from kms_server.keys.states import KeyState
from kms_server.operations import access, material
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.guards import customer_managed
from kms_server.operations.paging import page
from kms_server.schemas import keys as schemas
from kms_server.storage import keys, tags

_KEYS_PER_REGION = 100_000
_LOCKOUT = "The new key policy will not allow you to update the key policy in the future."


def create_key(call: Call) -> Answer:
    """Create a KMS key with its first material (AWS CreateKey)."""
    access.allow_without_key(call)
    spec = _requested_spec(call)
    usage = _requested_usage(call, spec)
    _refuse_unsupported(call)
    wanted = tag_rules.checked(call.get("Tags") or [])
    key_id = new_key_id()
    key = KmsKey(
        key_id=key_id, account=call.account, region=call.region, spec=spec.name, usage=usage,
        origin=call.get("Origin", "AWS_KMS"), manager="CUSTOMER", state=KeyState.ENABLED,
        description=call.get("Description", ""), policy=_requested_policy(call, key_id), created_at=call.time,
        deletion_date=None, rotation_period_days=None, next_rotation_at=None, scheduled_rotation_at=None,
        on_demand_rotations=0,
    )  # fmt: skip
    if keys.count_customer_keys(call.connection, call.account, call.region) >= _KEYS_PER_REGION:
        raise e.LimitExceededException(f"The limit of {_KEYS_PER_REGION} KMS keys in this Region is reached.")
    root = call.services.root_key
    first = material.new(key, root, number=1, when=call.time, rotation_type=None)
    keys.add(call.writing, key, first)
    tags.put(call.writing, key_id, wanted)
    call.touches(access.KEY, key.arn)
    return {"KeyMetadata": key.metadata(first.material_id)}


def describe_key(call: Call) -> Answer:
    """The metadata of a key (AWS DescribeKey)."""
    usable = access.use_key(call, call.parameters["KeyId"])
    return {"KeyMetadata": usable.key.metadata(usable.current.material_id)}


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
    keys.change(call.writing, key.key_id, description=call.parameters["Description"])
    return None


def enable_key(call: Call) -> Answer:
    """Let a disabled key be used again (AWS EnableKey)."""
    return _set_state(call, KeyState.ENABLED)


def disable_key(call: Call) -> Answer:
    """Refuse every use of a key from now on (AWS DisableKey)."""
    return _set_state(call, KeyState.DISABLED)


def schedule_key_deletion(call: Call) -> Answer:
    """Destroy a key after a waiting period of 7 to 30 days (AWS ScheduleKeyDeletion)."""
    window = call.get("PendingWindowInDays", 30)
    if not 7 <= window <= 30:
        raise e.ValidationException("PendingWindowInDays must be between 7 and 30 days.")
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    date = round(call.time + window * DAY, 3)
    keys.change(call.writing, key.key_id, state=KeyState.PENDING_DELETION, deletion_date=date)
    return {
        "KeyId": key.arn,
        "DeletionDate": date,
        "KeyState": KeyState.PENDING_DELETION.value,
        "PendingWindowInDays": window,
    }


def cancel_key_deletion(call: Call) -> Answer:
    """Keep a key that was to be deleted; it is disabled (AWS CancelKeyDeletion)."""
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    keys.change(call.writing, key.key_id, state=KeyState.DISABLED, deletion_date=None)
    return {"KeyId": key.arn}


def _set_state(call: Call, state: KeyState) -> Answer:
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    keys.change(call.writing, key.key_id, state=state)
    call.answered_extra = {"keyId": key.arn}
    return None


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


def _refuse_unsupported(call: Call) -> None:
    store = call.get("CustomKeyStoreId")
    if store is not None:
        raise e.CustomKeyStoreNotFoundException(f"Custom key store {store} does not exist.")
    if call.get("Origin", "AWS_KMS") != "AWS_KMS" or call.get("XksKeyId") is not None:
        raise e.UnsupportedOperationException("Only keys of origin AWS_KMS are supported.")
    if call.get("MultiRegion"):
        raise e.UnsupportedOperationException("Multi-Region keys are not supported.")


def _requested_policy(call: Call, key_id: str) -> str:
    policy: str | None = call.get("Policy")
    if policy is None:
        return default_key_policy(call.account)
    check_new_policy(call, policy, key_arn(call.region, call.account, key_id))
    return policy


def check_new_policy(call: Call, policy: str, arn: str) -> None:
    """Refuse a key policy that is malformed or locks the caller out of changing it again.

    Raises:
        MalformedPolicyDocumentException, LimitExceededException
    """
    compiled = compile_key_policy(policy)
    if call.get("BypassPolicyLockoutSafetyCheck"):
        return
    if not may_change_policy(KeyAuthority(call.account, arn, compiled), call.principal):
        raise e.MalformedPolicyDocumentException(_LOCKOUT)


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
        "Returns the metadata of a KMS key.", logged=("KeyId",), aliases_allowed=True, rule=states.READ,
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
        "Enables a disabled KMS key.", logged=("KeyId",), rule=states.CHANGE,
        errors=(*_ERRORS, e.LimitExceededException),
    ),
    Operation(
        "DisableKey", disable_key, schemas.DisableKeyRequest, None, Plane.WRITE,
        "Disables a KMS key.", logged=("KeyId",), rule=states.CHANGE, errors=_ERRORS,
    ),
    Operation(
        "ScheduleKeyDeletion", schedule_key_deletion, schemas.ScheduleKeyDeletionRequest,
        schemas.ScheduleKeyDeletionResponse, Plane.WRITE, "Schedules the deletion of a KMS key.",
        logged=("KeyId", "PendingWindowInDays"),
        answers=("KeyId", "KeyState", "DeletionDate", "PendingWindowInDays"),
        rule=states.CHANGE, errors=_ERRORS,
    ),
    Operation(
        "CancelKeyDeletion", cancel_key_deletion, schemas.CancelKeyDeletionRequest,
        schemas.CancelKeyDeletionResponse, Plane.WRITE, "Cancels the deletion of a KMS key.",
        logged=("KeyId",), answers=("KeyId",), rule=states.CANCEL_DELETION, errors=_ERRORS,
    ),
)  # fmt: skip
