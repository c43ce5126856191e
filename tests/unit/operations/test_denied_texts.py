"""What AWS says to a caller without permission: which policy is in the way, and nothing about others' keys."""

import json
from typing import Any

import pytest
from botocore.credentials import Credentials

from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Service

DENIED = "AccessDeniedException"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
UNKNOWN_CIPHERTEXT = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
    "or you are not allowed to access."
)
Caller = tuple[str, Credentials]


@pytest.fixture(scope="module")
def alice(service: Service) -> Caller:
    return service.user("alice", "kms:*")


@pytest.fixture(scope="module")
def bob(service: Service) -> Caller:
    return service.user("bob")


def start(caller: Caller, action: str) -> str:
    return f"User: {caller[0]} is not authorized to perform: kms:{action}"


def key_with(service: Service, *statements: dict[str, Any]) -> str:
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Resource": "*"} | one for one in statements]}
    )
    arn: str = service.key(Policy=document, BypassPolicyLockoutSafetyCheck=True)["Arn"]
    return arn


def test_no_key_policy_allows_it(service: Service, alice: Caller) -> None:
    arn = key_with(service, {"Effect": "Allow", "Principal": ROOT, "Action": "kms:PutKeyPolicy"})
    why = "because no resource-based policy allows the kms:DescribeKey action"
    text = f"{start(alice, 'DescribeKey')} on resource: {arn} {why}"
    assert service.refused("DescribeKey", by=alice[1], KeyId=arn) == (DENIED, text)


def test_no_identity_policy_allows_it(service: Service, keys: Keys, bob: Caller) -> None:
    arn = keys.arn("symmetric")
    text = f"{start(bob, 'DisableKey')} on resource: {arn} because no identity-based policy allows the kms:DisableKey action"
    assert service.refused("DisableKey", by=bob[1], KeyId=arn) == (DENIED, text)
    text = f"{start(bob, 'CreateKey')} on resource: * because no identity-based policy allows the kms:CreateKey action"
    assert service.refused("CreateKey", by=bob[1]) == (DENIED, text)


def test_the_key_policy_denies_it(service: Service, alice: Caller) -> None:
    arn = key_with(
        service,
        {"Effect": "Allow", "Principal": ROOT, "Action": "kms:*"},
        {"Effect": "Deny", "Principal": {"AWS": alice[0]}, "Action": "kms:DescribeKey"},
    )
    text = (
        f"{start(alice, 'DescribeKey')} on resource: {arn} with an explicit deny in a resource-based policy"
    )
    assert service.refused("DescribeKey", by=alice[1], KeyId=arn) == (DENIED, text)


def test_an_identity_policy_denies_it(service: Service, keys: Keys) -> None:
    denied = service.user("carol", "kms:*", deny=("kms:DescribeKey",))
    arn = keys.arn("symmetric")
    text = (
        f"{start(denied, 'DescribeKey')} on resource: {arn} with an explicit deny in an identity-based policy"
    )
    assert service.refused("DescribeKey", by=denied[1], KeyId=arn) == (DENIED, text)
    service.ok("GetKeyPolicy", by=denied[1], KeyId=arn)


def test_a_ciphertext_of_a_key_that_is_not_here(service: Service, keys: Keys, alice: Caller) -> None:
    sealed = service.ok("Encrypt", KeyId=keys.arn("symmetric"), Plaintext=b"p")["CiphertextBlob"]
    for by in (None, alice[1]):
        refusal = service.refused("Decrypt", region=REPLICA_REGION, by=by, CiphertextBlob=sealed)
        assert refusal == (DENIED, UNKNOWN_CIPHERTEXT)
    stranger = service.account("444455556666")
    assert service.refused("Decrypt", by=stranger, CiphertextBlob=sealed) == (DENIED, UNKNOWN_CIPHERTEXT)


def test_a_ciphertext_of_a_key_that_was_deleted(service: Service) -> None:
    key_id = service.key()["KeyId"]
    sealed = service.ok("Encrypt", KeyId=key_id, Plaintext=b"p")["CiphertextBlob"]
    service.ok("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    service.advance(8 * 86_400)
    assert service.refused("Decrypt", CiphertextBlob=sealed) == (DENIED, UNKNOWN_CIPHERTEXT)
    missing = f"Key 'arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}' does not exist"
    named = {"CiphertextBlob": sealed, "KeyId": key_id}
    assert service.refused("Decrypt", **named) == ("NotFoundException", missing)


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("DisableKey", {}), ("ScheduleKeyDeletion", {}), ("UpdateKeyDescription", {"Description": ""}),
        ("TagResource", {"Tags": [{"TagKey": "a", "TagValue": ""}]}), ("EnableKeyRotation", {}),
        ("RotateKeyOnDemand", {}), ("Encrypt", {"Plaintext": b"p"}),
    ],
)  # fmt: skip
def test_aws_managed_keys_are_not_the_customers(
    service: Service, operation: str, members: dict[str, Any]
) -> None:
    managed = service.ok("DescribeKey", KeyId="alias/aws/s3")["KeyMetadata"]
    before = service.rows(managed["KeyId"])
    assert service.refused(operation, KeyId=managed["KeyId"], **members).code == DENIED
    assert service.rows(managed["KeyId"]) == before
