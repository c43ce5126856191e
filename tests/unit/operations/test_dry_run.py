"""Calls that only ask: they never succeed, change nothing, and fail as the real call would."""

import json
from typing import Any
from uuid import uuid4

import pytest

from kms_server.keys.states import KeyState
from tests.unit.operations import model_check, scenes
from tests.unit.operations import query_service as query
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import ACCOUNT, Refusal, Service
from tests.unit.operations.state_matrix import Cell

DRY = Refusal("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
ROWS = [
    "Encrypt", "Decrypt", "ReEncrypt from", "ReEncrypt to", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac", "Sign", "Verify",
    "DeriveSharedSecret", "Encapsulate", "Decapsulate", "CreateGrant", "RetireGrant", "RevokeGrant",
]  # fmt: skip


def test_every_operation_with_the_option_is_here() -> None:
    model = model_check.MODEL
    having = {
        name for name in model.operation_names if "DryRun" in model.operation_model(name).input_shape.members
    }
    assert {row.partition(" ")[0] for row in ROWS} == having


@pytest.mark.parametrize("row", ROWS)
def test_what_would_succeed(service: Service, row: str) -> None:
    cell = Cell(row, KeyState.ENABLED, ".")
    key_id = scenes.make_key(service, cell)
    members = scenes.members(service, cell, key_id)
    before = service.rows(key_id)
    assert service.refused(cell.operation, DryRun=True, **members) == DRY
    assert service.rows(key_id) == before
    service.ok(cell.operation, DryRun=False, **members)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if not row.startswith("Re") or row.startswith("ReEncrypt")]
)
def test_what_would_not(service: Service, row: str) -> None:
    cell = Cell(row, KeyState.DISABLED, "d")
    key_id = scenes.make_key(service, cell)
    members = scenes.members(service, cell, key_id)
    scenes.bring_into(service, key_id, KeyState.DISABLED)
    refusal = service.refused(cell.operation, **members)
    assert refusal.code == "DisabledException"
    assert service.refused(cell.operation, DryRun=True, **members) == refusal


def test_a_wrong_signature_or_tag_fails_as_ever(service: Service, keys: Keys) -> None:
    sign: Any = {"KeyId": keys.arn("signing"), "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    assert (
        service.refused("Verify", DryRun=True, Signature=b"s", **sign).code == "KMSInvalidSignatureException"
    )
    mac: Any = {"KeyId": keys.arn("mac"), "Message": b"m", "MacAlgorithm": "HMAC_SHA_224"}
    assert service.refused("VerifyMac", DryRun=True, Mac=b"t", **mac).code == "KMSInvalidMacException"


def test_permission_alone_can_be_asked_for_without_a_ciphertext(service: Service, keys: Keys) -> None:
    only: Any = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    key, disabled = keys.arn("symmetric"), keys.disabled("symmetric")
    assert service.refused("Decrypt", KeyId=key, **only) == DRY
    assert service.refused("Decrypt", KeyId=key, CiphertextBlob=b"garbage", **only) == DRY
    assert service.refused("ReEncrypt", SourceKeyId=key, DestinationKeyId=key, **only) == DRY
    expected = ("DisabledException", f"{disabled} is disabled.")
    assert service.refused("Decrypt", KeyId=disabled, **only) == expected
    for one, two in ((key, disabled), (disabled, key)):
        asked = {"SourceKeyId": one, "DestinationKeyId": two, **only}
        assert service.refused("ReEncrypt", **asked) == expected
    for operation, member in (("Decrypt", "KeyId"), ("ReEncrypt", "SourceKeyId")):
        named = {"DestinationKeyId": key} if operation == "ReEncrypt" else {}
        missing = ("ValidationException", f"{member} must not be null")
        assert service.refused(operation, **named, **only) == missing


def test_a_key_that_ciphertexts_find_is_not_found_by_its_bare_id_elsewhere(service: Service) -> None:
    by = service.account("888877776666")
    policy = {
        "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in (ACCOUNT, "888877776666")]},
    }  # fmt: skip
    key = service.ok("CreateKey", Policy=json.dumps({"Statement": [policy]}))["KeyMetadata"]
    ciphertext = service.ok("Encrypt", KeyId=key["Arn"], Plaintext=b"p")["CiphertextBlob"]
    bare: Any = {"KeyId": key["KeyId"], "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    expected = service.refused("Decrypt", by=by, **bare)
    assert expected.code == "NotFoundException"
    for _ in range(2):
        assert service.ok("Decrypt", by=by, CiphertextBlob=ciphertext)["KeyId"] == key["Arn"]
        assert service.refused("Decrypt", by=by, **bare) == expected


def test_an_ignored_ciphertext_has_no_say_in_conditions(service: Service, keys: Keys) -> None:
    other = keys.arn("other")
    asked: Any = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    condition = {"Bool": {"kms:ReEncryptOnSameKey": "true"}}
    _, by = query.user(service, uuid4().hex, query.allow("kms:ReEncrypt*", Condition=condition))
    foreign = service.ok("Encrypt", KeyId=keys.arn("symmetric"), Plaintext=b"p")["CiphertextBlob"]
    for ignored in (b"garbage", foreign):
        both: Any = {"SourceKeyId": other, "DestinationKeyId": other, "CiphertextBlob": ignored}
        assert service.refused("ReEncrypt", by=by, **both, **asked) == DRY


def test_the_modifiers_need_the_option(service: Service, keys: Keys) -> None:
    asked: Any = {"KeyId": keys.arn("symmetric"), "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert service.refused("Decrypt", **asked).code == "ValidationException"
