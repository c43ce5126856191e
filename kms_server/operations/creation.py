"""CreateKey."""

from collections.abc import Sequence
from dataclasses import replace

from kms_server import errors as e
from kms_server.arn import key_arn
from kms_server.keys import specs
from kms_server.keys import tags as tag_rules
from kms_server.keys.identifiers import new_key_id
from kms_server.keys.key import AWS_KMS, EXTERNAL, BackingKey, KmsKey
from kms_server.keys.states import KeyState
from kms_server.operations import access, limits, material
from kms_server.operations.call import Answer, Call, Conditions, Operation, Plane, Subject
from kms_server.operations.condition_keys import BYPASS, request_tags, sent, texts
from kms_server.operations.lockout import new_policy
from kms_server.quotas.table import KEYS
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
        description=call.get("Description", ""), policy="", created_at=call.time,
        primary_region=call.region if call.get("MultiRegion") else None,
    )  # fmt: skip
    key = replace(key, policy=new_policy(call, key, wanted))
    require_room(call, call.region)
    versions = [] if origin == EXTERNAL else [_first_version(call, key, spec)]
    keys.add(call.writing, key, versions)
    tags.put(call.writing, key, wanted)
    call.touches(access.KEY, key.arn)
    call.logged_extra = {
        "keyUsage": usage, "keySpec": spec.name, "origin": origin,
        "bypassPolicyLockoutSafetyCheck": bool(call.get("BypassPolicyLockoutSafetyCheck")),
        "multiRegion": bool(call.get("MultiRegion")),
    } | ({"customerMasterKeySpec": spec.name} if spec.has_older_name else {})  # fmt: skip
    return {"KeyMetadata": key.metadata(versions, [call.region])}


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
    limit = limits.most(call, call.account, region, KEYS)
    if keys.count_customer_keys(call.connection, call.account, region) >= limit:
        raise e.LimitExceededException(f"The limit of {limit} KMS keys in Region {region} is reached.")


def _spec_asked(subject: Subject, _: str) -> Sequence[str]:
    return texts(subject.get("KeySpec") or subject.get("CustomerMasterKeySpec", specs.SYMMETRIC_DEFAULT.name))


def _type_asked(subject: Subject, _: str) -> Sequence[str]:
    return ("PRIMARY",) if subject.get("MultiRegion") else ()


_CONDITIONS: Conditions = {
    "kms:KeySpec": _spec_asked,
    "kms:CustomerMasterKeySpec": _spec_asked,
    "kms:KeyUsage": sent("KeyUsage", specs.ENCRYPT),
    "kms:CustomerMasterKeyUsage": sent("KeyUsage", specs.ENCRYPT),
    "kms:KeyOrigin": sent("Origin", AWS_KMS),
    "kms:MultiRegion": sent("MultiRegion", default=False),
    "kms:MultiRegionKeyType": _type_asked,
    **BYPASS,
    **request_tags(),
}
OPERATIONS = (
    Operation(
        "CreateKey", create_key, schemas.CreateKeyRequest, schemas.CreateKeyResponse, Plane.WRITE,
        "Creates a KMS key.",
        conditions=_CONDITIONS,
        logged=("Policy", "Description", "KeyUsage", "KeySpec", "CustomerMasterKeySpec", "Origin",
                "CustomKeyStoreId", "XksKeyId", "BypassPolicyLockoutSafetyCheck", "Tags", "MultiRegion"),
        answers=("KeyMetadata",),
        errors=(e.MalformedPolicyDocumentException, e.UnsupportedOperationException, e.LimitExceededException,
                e.TagException, e.CustomKeyStoreNotFoundException, e.InvalidArnException,
                e.DependencyTimeoutException, e.KMSInternalException),
    ),
)  # fmt: skip
