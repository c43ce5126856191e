"""What AWS says about rotations, imports and grants that cannot be, word for word; nothing changes then."""

import time
from typing import Any

import pytest

from tests.unit.operations import imported
from tests.unit.operations.key_kinds import KINDS, Keys
from tests.unit.operations.service import ACCOUNT, Refusal, Service

VALIDATION, UNSUPPORTED = "ValidationException", "UnsupportedOperationException"
STATE = "KMSInvalidStateException"
ROTATIONS = (
    "EnableKeyRotation",
    "DisableKeyRotation",
    "GetKeyRotationStatus",
    "RotateKeyOnDemand",
    "ListKeyRotations",
)
DAY = 86_400


def refuses(service: Service, expected: Refusal, operation: str, **members: Any) -> None:
    assert service.unchanged(operation, **members) == expected


def external(service: Service, material: bytes = imported.SECRET) -> str:
    """The ARN of a key with imported material."""
    arn: str = service.key(**imported.EXTERNAL)["Arn"]
    service.ok("ImportKeyMaterial", **imported.members(service, arn, material))
    return arn


@pytest.mark.parametrize("operation", ROTATIONS)
@pytest.mark.parametrize("kind", ["mac", "signing", "rsa", "agreement", "ml-kem", "ml-dsa"])
def test_only_symmetric_keys_rotate(service: Service, keys: Keys, operation: str, kind: str) -> None:
    refuses(service, Refusal(UNSUPPORTED), operation, KeyId=keys.arn(kind))


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation"])
def test_imported_keys_do_not_rotate_by_themselves(service: Service, operation: str) -> None:
    arn = external(service)
    text = f"{arn} origin is EXTERNAL which is not valid for this operation."
    refuses(service, Refusal(UNSUPPORTED, text), operation, KeyId=arn)


def test_rotations_on_demand_are_25(service: Service, keys: Keys) -> None:
    arn = keys.new("symmetric")
    for _ in range(25):
        assert service.ok("RotateKeyOnDemand", KeyId=arn) == {"KeyId": arn}
    text = (
        "The on-demand rotations limit has been reached for the given keyId. "
        f"No more on-demand rotations can be performed for this key: {arn}"
    )
    refuses(service, Refusal("LimitExceededException", text), "RotateKeyOnDemand", KeyId=arn)
    assert len(service.ok("ListKeyRotations", KeyId=arn)["Rotations"]) == 25


def test_no_rotation_on_demand_shortly_before_an_automatic_one(service: Service, keys: Keys) -> None:
    arn = keys.new("symmetric")
    service.ok("EnableKeyRotation", KeyId=arn, RotationPeriodInDays=90)
    service.advance(90 * DAY - 1_260)
    service.ok("RotateKeyOnDemand", KeyId=arn)
    service.advance(120)
    text = f"{arn} is about to be rotated automatically."
    refuses(service, Refusal("ConflictException", text), "RotateKeyOnDemand", KeyId=arn)


def test_the_status_is_false_while_a_deletion_is_pending(service: Service, keys: Keys) -> None:
    arn = keys.new("symmetric")
    off = {"KeyId": arn, "KeyRotationEnabled": False}
    assert service.ok("GetKeyRotationStatus", KeyId=arn) == off
    service.ok("EnableKeyRotation", KeyId=arn)
    on = service.ok("GetKeyRotationStatus", KeyId=arn)
    assert (on["KeyRotationEnabled"], on["RotationPeriodInDays"]) == (True, 365)
    service.ok("ScheduleKeyDeletion", KeyId=arn)
    assert service.ok("GetKeyRotationStatus", KeyId=arn) == off
    service.ok("CancelKeyDeletion", KeyId=arn)
    assert service.ok("GetKeyRotationStatus", KeyId=arn) == on


def test_imported_keys_rotate_to_material_that_waits(service: Service) -> None:
    arn = external(service)
    text = f"No available key material pending rotation for the key: {arn}."
    refuses(service, Refusal(STATE, text), "RotateKeyOnDemand", KeyId=arn)
    new = {"ImportType": "NEW_KEY_MATERIAL"}
    waiting = service.ok("ImportKeyMaterial", **imported.members(service, arn, b"1" * 32), **new)
    third = imported.members(service, arn, b"2" * 32)
    key_id = arn.rpartition("/")[2]
    before = service.rows(key_id)
    code, text = service.refused("ImportKeyMaterial", **third, **new)
    head, _, tail = text.partition(") cannot be imported into ")
    assert (code, tail) == (
        STATE,
        f"KMS key {arn}, because another key material (id: {waiting['KeyMaterialId']}) is pending rotation.",
    )
    assert head.startswith("New key material (id: ")
    assert len(head) == len("New key material (id: ") + 64
    assert service.rows(key_id) == before


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({}, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"),
        ({"ExpirationModel": "KEY_MATERIAL_EXPIRES"},
         "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"),
        ({"ValidTo": 1}, "ValidTo must be in the future"),
        ({"ValidTo": time.time() + 400 * 365 * DAY}, "ValidTo must be within 365 days"),
        ({"ValidTo": time.time() + DAY, **imported.KEPT},
         "ValidTo cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"),
    ],
    ids=["no-model", "no-date", "past", "too-late", "kept"],
)  # fmt: skip
def test_when_material_expires(service: Service, keys: Keys, members: dict[str, Any], text: str) -> None:
    asked = imported.members(service, keys.arn("external"))
    del asked["ExpirationModel"]
    refuses(service, Refusal(VALIDATION, text), "ImportKeyMaterial", **asked, **members)


def test_material_that_does_not_open(service: Service, keys: Keys) -> None:
    asked = imported.members(service, keys.arn("external"))
    sealed, token = asked["EncryptedKeyMaterial"], asked["ImportToken"]
    size, cipher = Refusal(VALIDATION, "Invalid encrypted key size."), Refusal("InvalidCiphertextException")
    other = imported.members(service, keys.arn("external-mac"))
    bad_token = Refusal("InvalidImportTokenException")
    for change, expected in (
        ({"EncryptedKeyMaterial": sealed[:-1]}, size),
        ({"EncryptedKeyMaterial": sealed + b"\0"}, size),
        ({"EncryptedKeyMaterial": sealed[:-1] + bytes([sealed[-1] ^ 1])}, cipher),
        ({"EncryptedKeyMaterial": other["EncryptedKeyMaterial"]}, cipher),
        ({"ImportToken": token[:-1]}, bad_token),
        ({"ImportToken": token[:20]}, bad_token),
        ({"ImportToken": b"t"}, bad_token),
        ({"ImportToken": other["ImportToken"]}, bad_token),
    ):
        refuses(service, expected, "ImportKeyMaterial", **(asked | change))
    service.ok("ImportKeyMaterial", **imported.members(service, keys.new("external")))


def test_a_token_is_good_for_a_day(service: Service, keys: Keys) -> None:
    arn = keys.new("external")
    asked = imported.members(service, arn)
    service.advance(DAY - 60)
    service.ok("ImportKeyMaterial", **asked)
    service.advance(60)
    refuses(service, Refusal("ExpiredImportTokenException"), "ImportKeyMaterial", **asked)


def test_only_the_same_material_comes_back(service: Service) -> None:
    arn = external(service)
    wrong = Refusal("IncorrectKeyMaterialException")
    refuses(service, wrong, "ImportKeyMaterial", **imported.members(service, arn, b"2" * 32))
    service.ok("DeleteImportedKeyMaterial", KeyId=arn)
    refuses(service, wrong, "ImportKeyMaterial", **imported.members(service, arn, b"2" * 32))
    service.ok("ImportKeyMaterial", **imported.members(service, arn))


def test_what_is_for_symmetric_keys_alone(service: Service, keys: Keys) -> None:
    asked = imported.members(service, keys.arn("external-mac"))
    for name, value in (("ImportType", "NEW_KEY_MATERIAL"), ("KeyMaterialDescription", "d"),
                        ("KeyMaterialId", "0" * 64)):  # fmt: skip
        expected = Refusal(VALIDATION, f"{name} is only supported for symmetric encryption keys.")
        refuses(service, expected, "ImportKeyMaterial", **asked, **{name: value})


@pytest.mark.parametrize(
    ("kind", "algorithm", "wrapping"),
    [("external", "RSAES_PKCS1_V1_5", "RSA_2048"), ("external-rsa", "RSAES_OAEP_SHA_256", "RSA_2048"),
     ("external-rsa", "RSAES_OAEP_SHA_1", "RSA_2048"), ("external-p521", "RSAES_OAEP_SHA_256", "RSA_2048"),
     ("external-p521", "RSAES_OAEP_SHA_1", "RSA_2048"), ("external", "SM2PKE", "RSA_2048")],
)  # fmt: skip
def test_wrappings_that_do_not_fit(
    service: Service, keys: Keys, kind: str, algorithm: str, wrapping: str
) -> None:
    arn = keys.arn(kind)
    asked = {"KeyId": arn, "WrappingAlgorithm": algorithm, "WrappingKeySpec": wrapping}
    service.ok("GetParametersForImport", **asked | {"WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256"})
    code, text = service.refused("GetParametersForImport", **asked)
    assert code == UNSUPPORTED
    assert algorithm in text
    assert KINDS[kind].get("KeySpec", "SYMMETRIC_DEFAULT") in text


@pytest.mark.covers("grants: grantee principal", "denied")
def test_who_cannot_hold_a_grant(service: Service, keys: Keys) -> None:
    arn = keys.arn("symmetric")
    asked: Any = {"KeyId": arn, "Operations": ["Encrypt"]}
    for wrong in ("alice", f"arn:aws:iam::{ACCOUNT}:group/g", "arn:aws:s3:::bucket"):
        expected = Refusal("InvalidArnException", f"ARN does not refer to a valid principal: {wrong}")
        refuses(service, expected, "CreateGrant", GranteePrincipal=wrong, **asked)
        refuses(service, expected, "CreateGrant", RetiringPrincipal=wrong,
                  GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:root", **asked)  # fmt: skip
        assert service.refused("ListRetirableGrants", RetiringPrincipal=wrong) == expected
