"""What the record of a call has that was refused before its request was understood: what is listed, as it was sent."""

from typing import Any

import pytest
from botocore.credentials import Credentials

from kms_server.operations.registry import find
from tests.unit.operations import query_service as query
from tests.unit.operations.record_calls import Record, ask, body_of, exhausted, violations
from tests.unit.operations.service import ACCOUNT, Service

CONTEXT = {"Tenant": "t-19"}


def refused(
    service: Service, name: str, body: bytes, *, aws: str = "kms", by: Credentials | None = None
) -> Record:
    record = ask(service, find(aws, name), body, by=by).record
    assert violations(record) == []
    assert record["errorCode"]
    return record


def members(service: Service, name: str, **sent: Any) -> dict[str, Any] | None:
    """The requestParameters of a call that its schema refuses."""
    operation = find("kms", name)
    found: dict[str, Any] | None = refused(service, name, body_of(operation, sent))["requestParameters"]
    return found


def test_what_violates_its_constraint(service: Service) -> None:
    assert members(service, "Encrypt", KeyId="k" * 3_000, Plaintext=b"p", EncryptionContext=CONTEXT, DryRun=True) == {
        "keyId": "k" * 3_000, "encryptionContext": CONTEXT, "dryRun": True,
    }  # fmt: skip
    assert members(service, "Encrypt", KeyId="k", EncryptionAlgorithm="ROT13") == {
        "keyId": "k", "encryptionAlgorithm": "ROT13",
    }  # fmt: skip


def test_what_has_another_type_is_left_out(service: Service) -> None:
    sent = {
        "KeyId": {"Plaintext": "cA=="},
        "EncryptionContext": CONTEXT,
        "DryRun": "cA==",
        "Plaintext": "cA==",
    }
    assert members(service, "Encrypt", **sent) == {"encryptionContext": CONTEXT}
    assert members(service, "Encrypt", KeyId=["k"], EncryptionContext=["cA=="]) is None
    assert members(service, "ListKeys", Limit=0, Marker=None) == {"limit": 0}
    assert members(service, "ListKeys", Limit=10.0**300, ResourceOwners=["SELF", None, 7]) == {
        "limit": 2**31 - 1, "resourceOwners": ["SELF"],
    }  # fmt: skip


def test_below_a_member_too(service: Service) -> None:
    tags = [
        {"TagKey": "a", "TagValue": "b", "Secret": "cA=="},
        "cA==",
        {"TagKey": 1, "TagValue": "v" * 999},
        {},
    ]
    assert members(service, "TagResource", KeyId="k", Tags=tags) == {
        "keyId": "k", "tags": [{"tagKey": "a", "tagValue": "b"}, {"tagValue": "v" * 999}, {}],
    }  # fmt: skip
    constraints = {"EncryptionContextEquals": CONTEXT, "SourceArn": "x", "Secret": "cA=="}
    assert members(service, "CreateGrant", KeyId="k", Constraints=constraints, Operations="cA==") == {
        "keyId": "k", "constraints": {"encryptionContextEquals": CONTEXT, "sourceArn": "x"},
    }  # fmt: skip


def test_dates_are_text(service: Service) -> None:
    found = members(service, "ImportKeyMaterial", KeyId="k", ValidTo=1_797_000_000, ExpirationModel="NEVER")
    assert found == {"keyId": "k", "validTo": "Dec 11, 2026, 2:40:00 PM", "expirationModel": "NEVER"}


@pytest.mark.parametrize(
    ("name", "sent", "shown"),
    [
        ("DescribeKey", {"KeyId": "alias/a"}, {"keyId": "alias/a"}),
        ("ListGrants", {"KeyId": "k", "Limit": 5}, {"keyId": "k", "limit": 5}),
        ("PutKeyPolicy", {"KeyId": "k", "Policy": "{}"}, {"keyId": "k", "policy": "{}"}),
        ("ListKeys", {}, None),
    ],
)
def test_a_throttled_call(
    service: Service, name: str, sent: dict[str, Any], shown: dict[str, Any] | None
) -> None:
    operation = find("kms", name)
    with exhausted(service, operation):
        record = refused(service, name, body_of(operation, sent))
    assert record["errorCode"] == "ThrottlingException"
    assert record["requestParameters"] == shown
    assert "resources" not in record


def test_a_form(service: Service) -> None:
    body = (
        b"Action=CreateUser&Version=2010-05-08&UserName=%20wrong%20&Path.x=p&Tags.member.1.Key=a&Tags.member.1.Value=b"
        b"&Tags.member.1.Secret=cA&Unlisted=cA"
    )
    record = refused(service, "CreateUser", body, aws="iam")
    assert record["requestParameters"] == {"userName": " wrong ", "tags": [{"key": "a", "value": "b"}]}
    gap = b"Action=CreateUser&Version=2010-05-08&UserName=u&Tags.member.2.Key=a"
    assert refused(service, "CreateUser", gap, aws="iam")["requestParameters"] == {"userName": "u"}


def test_what_a_session_may_not_ask(service: Service) -> None:
    by = query.credentials(query.ok(service, "sts", "GetSessionToken"))
    record = refused(service, "GetUser", body_of(find("iam", "GetUser"), {"UserName": "u"}), aws="iam", by=by)
    assert record["errorCode"] == "UnrecognizedClientException"
    assert record["requestParameters"] == {"userName": "u"}
    asked = {"Name": "fed", "DurationSeconds": 900}
    record = refused(
        service, "GetFederationToken", body_of(find("sts", "GetFederationToken"), asked), aws="sts", by=by
    )
    assert record["errorCode"] == "AccessDenied"
    assert record["requestParameters"] == {"name": "fed", "durationSeconds": 900}
    assert record["recipientAccountId"] == ACCOUNT
