"""Rotation of key material: automatic, on demand, and once at a date (our extension)."""

from collections.abc import Sequence

from kms_server import errors as e
from kms_server.keys import imports, rotation, specs, states
from kms_server.keys.key import AWS_KMS, EXTERNAL, BackingKey, KmsKey, expiration
from kms_server.keys.states import KeyState
from kms_server.operations import access, lifecycle, limits
from kms_server.operations.call import Answer, Call, Operation, Plane, Subject
from kms_server.operations.condition_keys import KEY, sent, texts
from kms_server.operations.guards import customer_managed
from kms_server.operations.paging import page
from kms_server.quotas.table import ON_DEMAND_ROTATIONS
from kms_server.schemas import rotation as schemas
from kms_server.storage import keys

_DEFAULT_PERIOD = 365


def enable_key_rotation(call: Call) -> Answer:
    """Rotate a key every 90 to 2,560 days (AWS EnableKeyRotation)."""
    key = _rotatable(call)
    _set_period(call, key, _period(call, key))
    call.answered_extra = {"keyId": key.arn}
    return None


def disable_key_rotation(call: Call) -> Answer:
    """Stop automatic rotation; a pending dated rotation stays (AWS DisableKeyRotation)."""
    key = _rotatable(call)
    keys.change_members(call.writing, key, rotation_period_days=None, next_rotation_at=None)
    return None


def get_key_rotation_status(call: Call) -> Answer:
    """Whether and when a key rotates (AWS GetKeyRotationStatus, with our ScheduledRotationDate)."""
    key = access.use_key(call, call.parameters["KeyId"]).key
    _require_symmetric(key)
    pending = key.state in {KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION}
    enabled = key.rotation_period_days is not None and not pending
    status: dict[str, object] = {"KeyId": key.arn, "KeyRotationEnabled": enabled}
    if enabled:
        status |= {
            "RotationPeriodInDays": key.rotation_period_days,
            "NextRotationDate": key.next_rotation_at,
        }
    if key.scheduled_rotation_at is not None:
        status["ScheduledRotationDate"] = key.scheduled_rotation_at
    return status


def rotate_key_on_demand(call: Call) -> Answer:
    """Rotate a key now, at most 25 times in its life (AWS RotateKeyOnDemand)."""
    key = _rotatable(call, AWS_KMS, EXTERNAL)
    most = limits.most(call, key.account, key.region, ON_DEMAND_ROTATIONS)
    rotation.check_on_demand(key, call.time, most)
    if key.origin == EXTERNAL:
        lifecycle.promote_imported(call.writing, call.services.ledger, key, call.time)
    else:
        kind = rotation.RotationType.ON_DEMAND
        lifecycle.rotate(call.writing, call.services.ledger, key, call.services.root_key, call.time, kind)
    call.answered_extra = {"keyId": key.arn}
    return {"KeyId": key.arn}


def list_key_rotations(call: Call) -> Answer:
    """The completed rotations of a key, or all its material (AWS ListKeyRotations)."""
    key = access.use_key(call, call.parameters["KeyId"]).key
    _require_symmetric(key)
    everything = call.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    with call.services.database.read() as connection:
        versions = keys.get_backing_keys(connection, key)
    listed = [version for version in versions if everything or version.rotation_type is not None]
    found, rest = page(
        call, lambda after, count: [v for v in listed if _place(v) > after][:count], _place,
        default=100, maximum=1000,
    )  # fmt: skip
    return {"Rotations": [_entry(key, version) for version in found], **rest}


def schedule_key_rotation(call: Call) -> Answer:
    """Rotate once at a date, or from now on by a period (our extension)."""
    date, period = call.get("RotationDate"), call.get("RotationPeriodInDays")
    if (date is None) == (period is None):
        raise e.ValidationException("Specify exactly one of RotationDate and RotationPeriodInDays.")
    key = _rotatable(call)
    if date is None:
        following = _set_period(call, key, period)
        return {"KeyId": key.arn, "RotationDate": following, "RotationPeriodInDays": period}
    rotation.check_date(date, call.time)
    keys.change_members(call.writing, key, scheduled_rotation_at=date)
    return {"KeyId": key.arn, "RotationDate": date}


def cancel_scheduled_key_rotation(call: Call) -> Answer:
    """Drop the pending dated rotation of a key, if there is one (our extension)."""
    key = _rotatable(call)
    keys.change_members(call.writing, key, scheduled_rotation_at=None)
    return None


def _period(call: Call, key: KmsKey) -> int:
    period: int = call.get("RotationPeriodInDays", key.rotation_period_days or _DEFAULT_PERIOD)
    return period


def _period_asked(subject: Subject, _: str) -> Sequence[str]:
    return () if subject.key is None else texts(_period(subject.call, subject.key))


def _set_period(call: Call, key: KmsKey, period: int) -> float:
    rotation.validate_period(period)
    if period == key.rotation_period_days and key.next_rotation_at is not None:
        return key.next_rotation_at
    following = rotation.next_after(call.time, period)
    keys.change_members(call.writing, key, rotation_period_days=period, next_rotation_at=following)
    return following


def _rotatable(call: Call, *origins: str) -> KmsKey:
    """The key of the call: its origin is checked before its state, and its spec after it."""
    usable = access.authorized_key(call, call.parameters["KeyId"])
    key = customer_managed(call, usable)
    if key.origin not in (origins or (AWS_KMS,)):
        imports.require_origin(key, AWS_KMS)
    access.require_fit(call, usable)
    _require_symmetric(key)
    if key.is_replica:
        raise e.UnsupportedOperationException(f"{key.arn} is not a multi-region primary key.")
    return key


def _require_symmetric(key: KmsKey) -> None:
    if not specs.find(key.spec).is_symmetric:
        raise e.UnsupportedOperationException


def _place(version: BackingKey) -> str:
    return f"{version.number:09d}"


def _entry(key: KmsKey, version: BackingKey) -> dict[str, object]:
    entry: dict[str, object] = {
        "KeyId": key.arn,
        "KeyMaterialId": version.material_id,
        "KeyMaterialState": version.status,
    }
    if version.rotation_type is not None:
        entry |= {"RotationDate": version.rotated_at, "RotationType": version.rotation_type}
    if key.origin == EXTERNAL:
        entry["ImportState"] = "PENDING_IMPORT" if version.wrapped is None else "IMPORTED"
        if version.description is not None:
            entry["KeyMaterialDescription"] = version.description
        if version.wrapped is not None:
            entry |= expiration(version)
    return entry


_QUERY_ERRORS = (
    e.NotFoundException, e.InvalidArnException, e.KMSInternalException, e.KMSInvalidStateException,
    e.UnsupportedOperationException,
)  # fmt: skip
_ERRORS = (*_QUERY_ERRORS, e.DisabledException, e.DependencyTimeoutException)

OPERATIONS = (
    Operation(
        "EnableKeyRotation", enable_key_rotation, schemas.EnableKeyRotationRequest, None, Plane.WRITE,
        "Rotates a KMS key automatically.", logged=("KeyId", "RotationPeriodInDays"), rule=states.ROTATE,
        conditions={**KEY, "kms:RotationPeriodInDays": _period_asked}, errors=_ERRORS,
    ),
    Operation(
        "DisableKeyRotation", disable_key_rotation, schemas.DisableKeyRotationRequest, None, Plane.WRITE,
        "Stops the automatic rotation of a KMS key.", logged=("KeyId",), rule=states.ROTATE,
        conditions=KEY, errors=_ERRORS,
    ),
    Operation(
        "GetKeyRotationStatus", get_key_rotation_status, schemas.GetKeyRotationStatusRequest,
        schemas.GetKeyRotationStatusResponse, Plane.READ, "Tells whether and when a KMS key rotates.",
        logged=("KeyId",), rule=states.READ_ROTATION, cross_account=True, conditions=KEY,
        errors=(*_QUERY_ERRORS, e.DependencyTimeoutException),
    ),
    Operation(
        "RotateKeyOnDemand", rotate_key_on_demand, schemas.RotateKeyOnDemandRequest,
        schemas.RotateKeyOnDemandResponse, Plane.WRITE, "Rotates a KMS key now.",
        logged=("KeyId",), rule=states.ROTATE, conditions=KEY,
        errors=(*_ERRORS, e.LimitExceededException, e.ConflictException),
    ),
    Operation(
        "ListKeyRotations", list_key_rotations, schemas.ListKeyRotationsRequest,
        schemas.ListKeyRotationsResponse, Plane.READ, "Lists the rotations of a KMS key.",
        logged=("KeyId", "IncludeKeyMaterial", "Limit", "Marker"), rule=states.READ_ROTATION,
        conditions=KEY, errors=(*_QUERY_ERRORS, e.InvalidMarkerException),
    ),
    Operation(
        "ScheduleKeyRotation", schedule_key_rotation, schemas.ScheduleKeyRotationRequest,
        schemas.ScheduleKeyRotationResponse, Plane.WRITE,
        "Rotates a KMS key once at a date, or from now on by a period. An extension of this service.",
        logged=("KeyId", "RotationDate", "RotationPeriodInDays"),
        answers=("KeyId", "RotationDate", "RotationPeriodInDays"), rule=states.ROTATE, errors=_ERRORS,
        conditions={**KEY, "kms:RotationPeriodInDays": sent("RotationPeriodInDays")},
    ),
    Operation(
        "CancelScheduledKeyRotation", cancel_scheduled_key_rotation, schemas.CancelScheduledKeyRotationRequest,
        None, Plane.WRITE, "Drops the dated rotation of a KMS key. An extension of this service.",
        logged=("KeyId",), rule=states.ROTATE, conditions=KEY, errors=_ERRORS,
    ),
)  # fmt: skip
