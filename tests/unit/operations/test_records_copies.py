"""Who owns what another account uses has a record of it, too (CloudTrail "sharedEventID")."""

import json
from typing import Any

import pytest
from botocore.credentials import Credentials

from kms_server.operations.call import Operation
from kms_server.operations.registry import find
from tests.unit.operations import query_service as query
from tests.unit.operations.record_calls import Record, ask, body_of, of_event, violations
from tests.unit.operations.service import ACCOUNT, Service

AWAY, THIRD = "222222222222", "333333333333"
_SEALED: dict[str, Any] = {"Plaintext": b"p"}


@pytest.fixture(scope="module")
def stranger(service: Service) -> Credentials:
    """A user of another account, who may do everything there."""
    return query.user(service, "stranger", query.allow("*"), account=AWAY)[1]


@pytest.fixture(scope="module", autouse=True)
def third(service: Service) -> Credentials:
    """A user of yet another account."""
    return query.user(service, "third", query.allow("*"), account=THIRD)[1]


@pytest.fixture(scope="module")
def shared(service: Service, stranger: Credentials) -> str:
    """The ARN of a key that the other accounts may use."""
    return shared_key(service)


def shared_key(service: Service, by: Credentials | None = None) -> str:
    roots = [{"AWS": f"arn:aws:iam::{account}:root"} for account in (ACCOUNT, AWAY, THIRD)]
    statements = [{"Effect": "Allow", "Principal": one, "Action": "kms:*", "Resource": "*"} for one in roots]
    arn: str = service.ok("CreateKey", by=by, Policy=json.dumps({"Statement": statements}))["KeyMetadata"][
        "Arn"
    ]
    return arn


def copies(records: list[Record]) -> dict[str, Record]:
    """Records by the account that receives them; each is valid and has an id of its own."""
    assert [violations(one) for one in records] == [[]] * len(records)
    assert len({one["eventID"] for one in records}) == len(records)
    found = {one["recipientAccountId"]: one for one in records}
    assert len(found) == len(records)
    return found


def called(
    service: Service, by: Credentials | None, name: str, *, aws: str = "kms", **members: Any
) -> list[Record]:
    operation: Operation = find(aws, name)
    return ask(service, operation, body_of(operation, members), by=by).records


def test_both_accounts_have_a_record(service: Service, stranger: Credentials, shared: str) -> None:
    found = copies(called(service, stranger, "Encrypt", KeyId=shared, **_SEALED))
    own, owners = found[AWAY], found[ACCOUNT]
    assert found.keys() == {AWAY, ACCOUNT}
    assert own["sharedEventID"] == owners["sharedEventID"]
    assert own["userIdentity"]["type"] == "IAMUser"
    assert owners["userIdentity"] == {
        "type": "AWSAccount", "principalId": own["userIdentity"]["principalId"], "accountId": AWAY,
    }  # fmt: skip
    differing = {"eventID", "recipientAccountId", "userIdentity"}
    assert {name for name in own if own[name] != owners[name]} == differing


def test_the_owner_can_look_it_up(service: Service, stranger: Credentials, shared: str) -> None:
    called(service, stranger, "DescribeKey", KeyId=shared)
    [found] = of_event(service, "DescribeKey", account=ACCOUNT, resources=(shared,))
    assert found["userIdentity"]["accountId"] == AWAY


def test_a_change_is_told_too(service: Service, stranger: Credentials, shared: str) -> None:
    root = f"arn:aws:iam::{AWAY}:root"
    found = copies(
        called(service, stranger, "CreateGrant", KeyId=shared, GranteePrincipal=root, Operations=["Encrypt"])
    )
    assert found.keys() == {AWAY, ACCOUNT}
    assert found[ACCOUNT]["responseElements"]["grantId"] == found[AWAY]["responseElements"]["grantId"]


def test_each_owner_has_one(service: Service, stranger: Credentials, third: Credentials, shared: str) -> None:
    other = shared_key(service, third)
    sealed = service.ok("Encrypt", by=stranger, KeyId=shared, **_SEALED)["CiphertextBlob"]
    records = called(service, stranger, "ReEncrypt", CiphertextBlob=sealed, DestinationKeyId=other)
    found = copies(records)
    assert found.keys() == {AWAY, ACCOUNT, THIRD}
    assert len({one["sharedEventID"] for one in found.values()}) == 1


def test_within_an_account_there_is_one(service: Service, shared: str) -> None:
    [only] = called(service, None, "Encrypt", KeyId=shared, **_SEALED)
    assert "sharedEventID" not in only


@pytest.mark.parametrize(
    "beside", [{"DryRun": True}, {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}], ids=["dry-run", "unfit"]
)
def test_a_failure_is_the_callers_alone(
    service: Service, stranger: Credentials, shared: str, beside: dict[str, Any]
) -> None:
    [only] = called(service, stranger, "Encrypt", KeyId=shared, **_SEALED, **beside)
    assert only["recipientAccountId"] == AWAY
    assert "errorCode" in only


def test_a_denial_is_the_callers_alone(service: Service, stranger: Credentials) -> None:
    private = service.key()["Arn"]
    [only] = called(service, stranger, "Encrypt", KeyId=private, **_SEALED)
    assert (only["recipientAccountId"], only["errorCode"]) == (AWAY, "AccessDenied")
    assert only["requestParameters"]["keyId"] == private


def test_a_role_of_another_account(service: Service, stranger: Credentials) -> None:
    trusting = query.role(service, "shared", query.trusting({"AWS": f"arn:aws:iam::{AWAY}:root"}))
    asked = {"RoleArn": trusting.arn, "RoleSessionName": "s-1"}
    found = copies(called(service, stranger, "AssumeRole", aws="sts", **asked))
    assert found.keys() == {AWAY, ACCOUNT}
    assert found[ACCOUNT]["userIdentity"]["type"] == "AWSAccount"
    closed = query.role(service, "closed", query.trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    [denied] = called(service, stranger, "AssumeRole", aws="sts", RoleArn=closed.arn, RoleSessionName="s-1")
    assert denied["recipientAccountId"] == AWAY


def test_the_last_use_may_be_another_accounts(service: Service, stranger: Credentials) -> None:
    key = shared_key(service)
    assert service.ok("GetKeyLastUsage", KeyId=key)["KeyLastUsage"] == {}
    found = copies(called(service, stranger, "Encrypt", KeyId=key, **_SEALED))
    used = service.ok("GetKeyLastUsage", KeyId=key)["KeyLastUsage"]
    assert used["Operation"] == "Encrypt"
    assert used["CloudTrailEventId"] == found[ACCOUNT]["eventID"]
    assert used["KmsRequestId"] == found[AWAY]["requestID"]


def test_days_without_use_count_from_another_accounts(service: Service, stranger: Credentials) -> None:
    unused = {"NumericLessThan": {"kms:TrailingDaysWithoutKeyUsage": "5"}}
    careful = query.user(
        service, "careful", query.allow("*"), query.allow("kms:DisableKey", effect="Deny", Condition=unused)
    )[1]
    key, left = shared_key(service), shared_key(service)
    service.advance(6 * 86_400)
    called(service, stranger, "Encrypt", KeyId=key, **_SEALED)
    assert service.refused("DisableKey", by=careful, KeyId=key).code == "AccessDeniedException"
    service.ok("DisableKey", by=careful, KeyId=left)
