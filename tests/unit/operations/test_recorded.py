"""From records of the log back to questions."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kms_server.errors import OperatorError
from kms_server.iam.telling import as_text
from kms_server.operations import explanation, recorded
from kms_server.server.services import services_of
from kms_server.storage import identities
from tests.unit.operations.query_service import (
    allow,
    credentials,
    document,
    ok,
    records,
    role,
    trusting,
    user,
)
from tests.unit.operations.query_service import call as query
from tests.unit.operations.service import ACCOUNT, Refusal, Service

AWAY = "222222222222"
ROOT = f"arn:aws:iam::{AWAY}:root"
SERVICE = {
    "eventType": "AwsServiceEvent",
    "userIdentity": {"accountId": ACCOUNT, "invokedBy": "AWS Internal"},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service"))
    yield made
    made.close()


def last(service: Service, arn: str, name: str, account: str = ACCOUNT) -> dict[str, Any]:
    """The newest record of a caller and an operation; it may still be on its way."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for record in records(service, account):
            if (record["userIdentity"].get("arn"), record["eventName"]) == (arn, name):
                return record
        time.sleep(0.01)
    raise AssertionError((arn, name))


def test_who_what_and_with_what(service: Service) -> None:
    one, by = user(service, "ada")
    key = service.key()
    denied = service.call(
        "Encrypt", by=by, KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"tenant": "7", "Shard": "3"}
    )
    assert isinstance(denied, Refusal)
    found = recorded.rebuild(services_of(service._worker.state), last(service, one.arn, "Encrypt"))
    question = found.question
    assert (question.principal.unique_id, question.action) == (one.unique_id, "kms:Encrypt")
    assert question.key == key["Arn"]
    assert question.encryption_context == {"tenant": "7", "Shard": "3"}
    assert question.parameters["EncryptionContext"] == {"tenant": "7", "Shard": "3"}
    assert question.request is not None
    assert question.request.source_ip == "127.0.0.1"
    assert found.error_code == "AccessDenied"
    assert found.gaps == ()
    story = explanation.tell(services_of(service._worker.state), question)
    assert denied.text.endswith("because no identity-based policy allows the kms:Encrypt action")
    assert story.decision.reason == "no identity policy allows it"


def test_dates_and_names_in_contexts(service: Service) -> None:
    one, by = user(service, "dora")
    key = service.key(Origin="EXTERNAL")
    asked: dict[str, Any] = {
        "ImportToken": b"t",
        "EncryptedKeyMaterial": b"m",
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
    }
    assert isinstance(
        service.call("ImportKeyMaterial", by=by, KeyId=key["KeyId"], ValidTo=1_797_000_000, **asked), Refusal
    )
    found = recorded.rebuild(services_of(service._worker.state), last(service, one.arn, "ImportKeyMaterial"))
    assert found.question.parameters["ValidTo"] == 1_797_000_000
    constraints = {"EncryptionContextSubset": {"tenant": "7", "Shard": "3"}}
    granted: dict[str, Any] = {
        "GranteePrincipal": one.arn,
        "Operations": ["Decrypt"],
        "Constraints": constraints,
    }
    assert isinstance(service.call("CreateGrant", by=by, KeyId=key["KeyId"], **granted), Refusal)
    found = recorded.rebuild(services_of(service._worker.state), last(service, one.arn, "CreateGrant"))
    assert found.question.parameters["Constraints"] == constraints


def test_each_side_of_a_reencryption(service: Service) -> None:
    one, by = user(service, "rene", allow("kms:ReEncryptFrom"))
    source, target = service.key(), service.key()
    sealed = service.ok("Encrypt", KeyId=source["KeyId"], Plaintext=b"x", EncryptionContext={"a": "1"})
    asked = {
        "CiphertextBlob": sealed["CiphertextBlob"], "SourceEncryptionContext": {"a": "1"},
        "DestinationKeyId": target["KeyId"], "DestinationEncryptionContext": {"b": "2"},
    }  # fmt: skip
    assert isinstance(service.call("ReEncrypt", by=by, **asked), Refusal)
    question = recorded.rebuild(
        services_of(service._worker.state), last(service, one.arn, "ReEncrypt")
    ).question
    assert (question.action, question.key) == ("kms:ReEncryptTo", target["Arn"])
    assert question.encryption_context == {"b": "2"}
    assert question.principal.arn == one.arn


def test_a_key_that_the_caller_did_not_name(service: Service) -> None:
    one, by = user(service, "cid")
    key = service.key()
    sealed = service.ok("Encrypt", KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    assert isinstance(service.call("Decrypt", by=by, CiphertextBlob=sealed), Refusal)
    question = recorded.rebuild(
        services_of(service._worker.state), last(service, one.arn, "Decrypt")
    ).question
    assert (question.action, question.key) == ("kms:Decrypt", key["Arn"])


def test_of_strangers_the_record_does_not_tell(service: Service) -> None:
    key = service.key()
    sealed = service.ok("Encrypt", KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    by = service.account(AWAY)
    assert isinstance(service.call("Decrypt", by=by, CiphertextBlob=sealed), Refusal)
    with pytest.raises(OperatorError, match="does not tell which key"):
        recorded.rebuild(services_of(service._worker.state), last(service, ROOT, "Decrypt", AWAY))
    assert isinstance(service.call("DescribeKey", by=by, KeyId=key["Arn"]), Refusal)
    found = recorded.rebuild(services_of(service._worker.state), last(service, ROOT, "DescribeKey", AWAY))
    assert found.question.key == key["Arn"]
    story = explanation.tell(services_of(service._worker.state), found.question)
    assert story.decision.reason == "no statement of the resource's policy allows it, and no grant"


def test_sessions_lack_what_only_their_token_has(service: Service) -> None:
    _, assumer = user(service, "assumer", allow("sts:AssumeRole"))
    batch = role(
        service, "Batch", trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), policy=document(allow("kms:*"))
    )
    told = ok(
        service, "sts", "AssumeRole", by=assumer, RoleArn=batch.arn, RoleSessionName="run-7",
        Policy=document(allow("kms:Sign")),
    )  # fmt: skip
    key = service.key()
    refused = service.call("Encrypt", by=credentials(told), KeyId=key["KeyId"], Plaintext=b"x")
    assert isinstance(refused, Refusal)
    assert "session policy" in refused.text
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/Batch/run-7"
    found = recorded.rebuild(services_of(service._worker.state), last(service, session, "Encrypt"))
    assert found.question.principal.unique_id == f"{batch.unique_id}:run-7"
    assert any("session policies" in gap for gap in found.gaps)


def test_what_is_no_key(service: Service) -> None:
    one, by = user(service, "alan")
    assert isinstance(service.call("CreateKey", by=by, Description="d"), Refusal)
    found = recorded.rebuild(services_of(service._worker.state), last(service, one.arn, "CreateKey"))
    assert (found.question.key, found.question.resource) == (None, "*")
    assert "request member Policy" not in found.gaps


def test_who_is_another_by_now(service: Service) -> None:
    one, by = user(service, "twin")
    assert isinstance(service.call("CreateKey", by=by), Refusal)
    record = last(service, one.arn, "CreateKey")
    with service.database.write() as tx:
        identities.remove(tx, one)
    with pytest.raises(OperatorError, match="no longer exists"):
        recorded.rebuild(services_of(service._worker.state), record)
    user(service, "twin")
    with pytest.raises(OperatorError, match="no longer exists"):
        recorded.rebuild(services_of(service._worker.state), record)


@pytest.mark.parametrize("change", [SERVICE, {"userIdentity": {"type": "Operator", "userName": "operator"}}])
def test_what_no_policy_decides(service: Service, change: dict[str, Any]) -> None:
    service.key()
    with pytest.raises(OperatorError, match="no call that policies decide"):
        recorded.rebuild(
            services_of(service._worker.state),
            last(service, f"arn:aws:iam::{ACCOUNT}:root", "CreateKey") | change,
        )


def test_roles_are_judged_by_their_trust_policies(service: Service) -> None:
    one, by = user(service, "trusted", allow("sts:AssumeRole"))
    condition = {"StringEquals": {"sts:ExternalId": "east"}}
    made = role(service, "Guarded", trusting({"AWS": one.arn}, Condition=condition))
    for external_id, allowed in (("east", True), ("west", False)):
        asked: dict[str, Any] = {"RoleArn": made.arn, "RoleSessionName": "run", "ExternalId": external_id}
        assert isinstance(query(service, "sts", "AssumeRole", by=by, **asked), Refusal) != allowed
        found = recorded.rebuild(services_of(service._worker.state), last(service, one.arn, "AssumeRole"))
        story = explanation.tell(services_of(service._worker.state), found.question)
        assert (story.action, story.resource, story.decision.allowed) == ("sts:AssumeRole", made.arn, allowed)
        assert story.policies[0].name == "trust policy"


def test_what_only_a_token_tells(service: Service) -> None:
    _, by = user(service, "fed", allow("sts:GetFederationToken", "kms:*"))
    told = ok(service, "sts", "GetFederationToken", by=by, Name="guest")
    assert isinstance(service.call("CreateKey", by=credentials(told)), Refusal)
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/guest"
    with pytest.raises(OperatorError, match="session token"):
        recorded.rebuild(services_of(service._worker.state), last(service, arn, "CreateKey"))


def test_iam_is_explained_by_the_request_that_was_made(service: Service) -> None:
    read_only, admin = (
        f"arn:aws:iam::aws:policy/{name}" for name in ("ReadOnlyAccess", "AdministratorAccess")
    )
    only = {
        "Condition": {"ArnEquals": {"iam:PolicyARN": read_only}, "Null": {"aws:ResourceTag/team": "true"}}
    }
    one, by = user(service, "attaching", allow("iam:AttachUserPolicy") | only)
    target, _ = user(service, "target")
    state = services_of(service._worker.state)
    asked: dict[str, Any] = {"UserName": "target", "PolicyArn": admin}
    assert isinstance(query(service, "iam", "AttachUserPolicy", by=by, **asked), Refusal)
    question = recorded.rebuild(state, last(service, one.arn, "AttachUserPolicy")).question
    assert question.resource == target.arn
    assert not explanation.tell(state, question).decision.allowed
    assert admin in as_text(explanation.tell(state, question))
    likewise = replace(question, parameters={**question.parameters, "PolicyArn": read_only})
    assert explanation.tell(state, likewise).decision.allowed
    assert not isinstance(
        query(service, "iam", "AttachUserPolicy", by=by, **asked | {"PolicyArn": read_only}), Refusal
    )
    with pytest.raises(OperatorError, match="nothing refused it"):
        recorded.rebuild(state, last(service, one.arn, "AttachUserPolicy"))
