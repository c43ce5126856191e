"""Imported key material: what may be imported, and when a key has all it needs (AWS "Importing key material")."""

from collections.abc import Sequence

from kms_server.clock import DAY
from kms_server.errors import (
    IncorrectKeyMaterialException,
    KMSInvalidStateException,
    UnsupportedOperationException,
    ValidationException,
)
from kms_server.keys import specs
from kms_server.keys.key import EXTERNAL, PENDING_ROTATION, BackingKey, KmsKey
from kms_server.keys.states import KeyState

NEW, EXISTING = "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"
EXPIRES, KEPT = "KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"
TOKEN_LIFETIME = DAY
_LONGEST = 365 * DAY
_LONGER_THAN_OAEP = frozenset({("ECC_NIST_P521", "RSA_2048")})


def require_origin(key: KmsKey, origin: str) -> None:
    """Check where the material of a key comes from.

    Raises:
        UnsupportedOperationException: from elsewhere.
    """
    if key.origin != origin:
        raise UnsupportedOperationException(
            f"{key.arn} origin is {key.origin} which is not valid for this operation."
        )


def require_wrapping(key: KmsKey, algorithm: str, wrapping_spec: str) -> None:
    """Check that material of this spec can be imported under a wrapping algorithm and key.

    Raises:
        UnsupportedOperationException: it cannot.
    """
    if algorithm not in specs.find(key.spec).wrapping:
        raise UnsupportedOperationException(
            f"Wrapping algorithm {algorithm} is not supported for key spec {key.spec}."
        )
    if algorithm.startswith("RSAES") and (key.spec, wrapping_spec) in _LONGER_THAN_OAEP:
        raise UnsupportedOperationException(
            f"Wrapping algorithm {algorithm} with wrapping key spec {wrapping_spec} is not supported for key spec "
            f"{key.spec}."
        )


def expiry(model: str | None, valid_to: float | None, now: float) -> float | None:
    """When material imported now expires; None is never.

    Raises:
        ValidationException: model and date contradict each other, or the date is not within the next 365 days.
    """
    if model == KEPT:
        if valid_to is not None:
            raise ValidationException(f"ValidTo cannot be set if the ExpirationModel is {KEPT}")
        return None
    if valid_to is None:
        raise ValidationException(f"A validTo date must be set if the ExpirationModel is {EXPIRES}")
    if valid_to <= now:
        raise ValidationException("ValidTo must be in the future")
    if valid_to > now + _LONGEST:
        raise ValidationException("ValidTo must be within 365 days")
    return valid_to


def check_members(
    key: KmsKey, import_type: str | None, material_id: str | None, description: str | None
) -> None:
    """Check the members that are for symmetric keys alone.

    Raises:
        ValidationException
    """
    given = {"ImportType": import_type, "KeyMaterialId": material_id, "KeyMaterialDescription": description}
    if not specs.find(key.spec).is_symmetric:
        for name, value in given.items():
            if value is not None:
                raise ValidationException(f"{name} is only supported for symmetric encryption keys.")


def match(
    versions: Sequence[BackingKey], same: Sequence[bool], import_type: str | None, material_id: str | None
) -> BackingKey | None:
    """The version that imported material is to fill, or None when it becomes a new one.

    `same` tells for each version whether the material equals what was imported as it before.

    Raises:
        IncorrectKeyMaterialException: it should be material that was imported before, and is not.
    """
    wanted = import_type or (EXISTING if versions else NEW)
    if wanted == NEW and material_id is not None:
        raise ValidationException(f"KeyMaterialId cannot be specified when ImportType is {NEW}.")
    equal = [version for version, is_same in zip(versions, same, strict=True) if is_same]
    if wanted == NEW:
        return _match_new(equal)
    if not equal or (material_id is not None and equal[0].material_id != material_id):
        raise IncorrectKeyMaterialException
    return equal[0]


def _match_new(equal: Sequence[BackingKey]) -> BackingKey | None:
    if not equal:
        return None
    if equal[0].is_permanent:
        raise IncorrectKeyMaterialException
    return equal[0]


def require_no_pending(key: KmsKey, versions: Sequence[BackingKey], new_id: str) -> None:
    """Check that no other new material awaits its rotation.

    Raises:
        KMSInvalidStateException: some does.
    """
    pending = pending_version(versions)
    if pending is not None:
        raise KMSInvalidStateException(
            f"New key material (id: {new_id}) cannot be imported into KMS key {key.arn}, because another key material "
            f"(id: {pending.material_id}) is pending rotation."
        )


def pending_version(versions: Sequence[BackingKey]) -> BackingKey | None:
    """The version that is not in use yet."""
    return next((version for version in versions if not version.is_permanent), None)


def require_rotatable(key: KmsKey, versions: Sequence[BackingKey]) -> BackingKey:
    """The new material that a rotation on demand makes current.

    Raises:
        KMSInvalidStateException: there is none, or not yet in all Regions.
    """
    pending = pending_version(versions)
    if pending is None or pending.status != PENDING_ROTATION or pending.wrapped is None:
        raise KMSInvalidStateException(f"No available key material pending rotation for the key: {key.arn}.")
    return pending


def state_of(key: KmsKey, versions: Sequence[BackingKey], otherwise: KeyState) -> KeyState:
    """PendingImport while any material that ciphertexts may need is missing, else the state given."""
    if key.origin != EXTERNAL:
        return otherwise
    permanent = [version for version in versions if version.is_permanent]
    complete = permanent and all(version.wrapped is not None for version in permanent)
    return otherwise if complete else KeyState.PENDING_IMPORT
