"""Grants that cannot be made, and grants that are not there: refused, and nothing changes."""

from typing import Any

import pytest

from kms_server.keys.states import KeyState
from tests.unit.operations import model_check, scenes
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import ACCOUNT, Service
from tests.unit.operations.state_matrix import Cell

VALIDATION = "ValidationException"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
CONTEXT = {"EncryptionContextEquals": {"a": "b"}}


@pytest.mark.covers("grants: content", "denied")
@pytest.mark.covers("grants: operations", "denied")
@pytest.mark.covers("grants: service grantee", "denied")
@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("symmetric", {"Operations": []}),
        ("symmetric", {"Operations": ["Sign"]}),
        ("symmetric", {"Operations": ["Encrypt", "GenerateMac"]}),
        ("symmetric", {"Operations": ["GetPublicKey"]}),
        ("mac", {"Operations": ["Encrypt"]}),
        ("signing", {"Operations": ["Encrypt"]}),
        ("rsa", {"Operations": ["GenerateDataKey"]}),
        ("agreement", {"Operations": ["Sign"]}),
        ("ml-kem", {"Operations": ["Decrypt"]}),
        ("rsa", {"Operations": ["Encrypt"], "Constraints": CONTEXT}),
        ("mac", {"Operations": ["GenerateMac"], "Constraints": CONTEXT}),
        ("symmetric", {"Operations": ["Encrypt"], "GranteePrincipal": None}),
        ("symmetric", {"Operations": ["Encrypt"], "GranteeServicePrincipal": "s3.amazonaws.com"}),
        ("symmetric", {"Operations": ["Encrypt"], "GranteePrincipal": None,
                       "GranteeServicePrincipal": "s3.amazonaws.com"}),
        ("symmetric", {"Operations": ["Encrypt"], "Name": "a b"}),
        ("symmetric", {"Operations": ["Encrypt"], "Name": "n" * 257}),
    ],
    ids=range(16),
)  # fmt: skip
def test_grants_that_cannot_be(service: Service, keys: Keys, kind: str, members: dict[str, Any]) -> None:
    asked = {"KeyId": keys.arn(kind), "GranteePrincipal": ROOT} | members
    assert service.unchanged("CreateGrant", **asked).code == VALIDATION


@pytest.mark.covers("grants: idempotency", "allowed")
@pytest.mark.covers("grants: idempotency", "denied")
def test_the_same_named_grant_is_made_once_however_its_key_is_named(service: Service, keys: Keys) -> None:
    arn = keys.new("symmetric")
    asked: Any = {"GranteePrincipal": ROOT, "Operations": ["Encrypt"], "Name": "once"}
    first = service.ok("CreateGrant", KeyId=arn, **asked)["GrantId"]
    before = service.rows(arn.rpartition("/")[2])
    assert service.ok("CreateGrant", KeyId=arn, **asked)["GrantId"] == first
    assert service.ok("CreateGrant", KeyId=arn.rpartition("/")[2], **asked)["GrantId"] == first
    assert service.rows(arn.rpartition("/")[2]) == before
    assert service.ok("CreateGrant", KeyId=arn, **asked | {"Operations": ["Decrypt"]})["GrantId"] != first
    assert service.ok("CreateGrant", KeyId=keys.arn("other"), **asked)["GrantId"] != first


def test_grants_that_are_not_there(service: Service, keys: Keys) -> None:
    arn, other = keys.arn("symmetric"), keys.arn("other")
    granted = service.ok("CreateGrant", KeyId=other, GranteePrincipal=ROOT, Operations=["Encrypt"])
    for operation in ("RevokeGrant", "RetireGrant"):
        for grant_id in ("0" * 64, granted["GrantId"]):
            assert service.unchanged(operation, KeyId=arn, GrantId=grant_id).code == "NotFoundException"
        for grant_id in ("0" * 63, "G" * 64, "x"):
            assert service.unchanged(operation, KeyId=arn, GrantId=grant_id).code == "InvalidGrantIdException"
    token = granted["GrantToken"]
    for wrong in (
        {}, {"KeyId": other}, {"GrantId": granted["GrantId"]}, {"GrantToken": token, "KeyId": other},
    ):  # fmt: skip
        assert service.refused("RetireGrant", **wrong).code == VALIDATION
    for wrong_token in ("t", token[:-4], token[4:], "A" * len(token)):
        assert service.refused("RetireGrant", GrantToken=wrong_token) == ("InvalidGrantTokenException", "")
        members: Any = {"KeyId": other, "Plaintext": b"p", "GrantTokens": [token, wrong_token]}
        assert service.refused("Encrypt", **members) == ("InvalidGrantTokenException", "")
    assert len(service.ok("ListGrants", KeyId=other, GrantId=granted["GrantId"])["Grants"]) == 1
    service.ok("RetireGrant", GrantToken=token)
    assert service.refused("RetireGrant", GrantToken=token).code == "NotFoundException"


TAKES_TOKENS = [
    name for name in model_check.MODEL.operation_names
    if "GrantTokens" in model_check.MODEL.operation_model(name).input_shape.members
]  # fmt: skip


@pytest.mark.parametrize("operation", TAKES_TOKENS)
def test_tokens_of_nobody_are_refused_where_aws_has_the_error(service: Service, operation: str) -> None:
    row = f"{operation} to" if operation == "ReEncrypt" else operation
    cell = Cell(row, KeyState.ENABLED, ".")
    key_id = scenes.make_key(service, cell)
    members = scenes.members(service, cell, key_id)
    if operation == "DescribeKey":
        service.ok(operation, **members, GrantTokens=["t"])
    else:
        before = service.rows(key_id)
        refusal = service.refused(operation, **members, GrantTokens=["t"])
        assert refusal == ("InvalidGrantTokenException", "")
        assert service.rows(key_id) == before


def test_tokens_of_nobody_tell_strangers_nothing(service: Service) -> None:
    stranger = service.account("444455556666")
    arn = service.key()["Arn"]
    missing = arn[:-12] + "0" * 12
    asked: Any = {"Plaintext": b"p", "GrantTokens": ["t"]}
    told = {service.refused("Encrypt", by=stranger, KeyId=one, **asked) for one in (arn, missing)}
    assert [refusal.code for refusal in told] == ["AccessDeniedException"]
    made = service.ok("Encrypt", KeyId=arn, Plaintext=b"p")["CiphertextBlob"]
    refusal = service.refused("Decrypt", by=stranger, CiphertextBlob=made, GrantTokens=["t"])
    assert refusal == service.refused("Decrypt", by=stranger, CiphertextBlob=made)
