"""The S3 layer's calls of the KMS beside it: what policies see, what the log says, what errors become."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from kms_server.audit.group_commit import wait
from kms_server.config import Limits
from kms_server.errors import ValidationException
from kms_server.operations import explanation, recorded
from kms_server.operations.call import Forwarded
from kms_server.quotas.plans import Count, Plan
from kms_server.s3 import errors as e
from kms_server.s3.kms.client import KmsClient
from tests.unit.audit.audit_rows import row
from tests.unit.operations.service import ACCOUNT, REGION, Service
from tests.unit.s3.kms.asking import (
    BUCKET,
    CONTEXT,
    OBJECT,
    asked,
    client,
    pipeline,
    policy,
    records,
    services,
    use,
)

S3 = "fas.s3.amazonaws.com"
OTHER = "444455556666"
VIA_S3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
_DENY: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "kms:GenerateDataKey", "Resource": "*"}


def key(service: Service, *statements: dict[str, Any]) -> str:
    """The ARN of a new key with that policy."""
    arn: str = service.key(Policy=policy(*statements))["Arn"]
    return arn


def allowed(service: Service, arn: str, by: Credentials | None = None) -> bool:
    """Whether the client is given a data key; `still_allows` must say the same."""
    kms: KmsClient = client(service)
    call = asked(service, by)
    still = kms.still_allows(call, "GenerateDataKey", use(arn), key_arn=arn, since=time.monotonic())
    try:
        kms.generate_data_key(call, use(arn))
    except e.AccessDenied:
        assert not still
        return False
    assert still
    return True


def test_a_data_key_comes_back(service: Service) -> None:
    kms, call, arn = client(service), asked(service), key(service)
    made = kms.generate_data_key(call, use(arn))
    assert made.key_arn == arn
    assert len(made.plaintext) == 32
    assert made.plaintext.hex() not in repr(made)
    assert kms.decrypt(call, use(arn), made.ciphertext) == made.plaintext


def test_an_alias_names_the_key(service: Service) -> None:
    arn = key(service)
    service.ok("CreateAlias", AliasName="alias/ledger", TargetKeyId=arn)
    assert client(service).generate_data_key(asked(service), use("alias/ledger")).key_arn == arn


def test_records_name_the_caller_and_the_service(service: Service) -> None:
    user, credentials = service.user("mira", "kms:*")
    kms, call, arn = client(service), asked(service, credentials), key(service)
    made = kms.generate_data_key(call, use(arn))
    kms.decrypt(call, use(arn), made.ciphertext)
    generated, decrypted = records(service, "GenerateDataKey")[-1], records(service, "Decrypt")[-1]
    for record in (generated, decrypted):
        identity = record["userIdentity"]
        assert (identity["arn"], identity["invokedBy"]) == (user, S3)
        assert identity["sessionContext"]["attributes"]["creationDate"] == record["eventTime"]
        assert (record["sourceIPAddress"], record["userAgent"]) == (S3, S3)
        assert "tlsDetails" not in record
        assert record["resources"] == [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn}]
        assert (record["eventCategory"], record["readOnly"], record["awsRegion"]) == (
            "Management",
            True,
            REGION,
        )
        assert record["requestID"] != "r"
    assert generated["requestParameters"] == {
        "keyId": arn,
        "keySpec": "AES_256",
        "encryptionContext": {"aws:s3:arn": OBJECT},
    }
    assert decrypted["requestParameters"] == {
        "keyId": arn,
        "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "encryptionContext": {"aws:s3:arn": OBJECT},
    }


def test_a_clients_own_call_shows_as_before(service: Service) -> None:
    service.ok("GenerateDataKeyWithoutPlaintext", KeyId=key(service), KeySpec="AES_256")
    wait(service._worker.commit.submit(row()), 5)  # its own record was before that
    record = records(service, "GenerateDataKeyWithoutPlaintext")[-1]
    assert record["sourceIPAddress"] == "127.0.0.1"
    assert not record["userIdentity"].keys() & {"invokedBy", "sessionContext"}


def test_a_record_is_explained_as_the_services_call(service: Service) -> None:
    arn = key(service, {**_DENY, "Condition": VIA_S3})
    with pytest.raises(e.AccessDenied):
        client(service).generate_data_key(asked(service), use(arn))
    found = recorded.rebuild(services(service), records(service, "GenerateDataKey")[-1])
    assert found.question.forwarded == Forwarded("s3", REGION)
    assert any("aws:SourceArn" in gap for gap in found.gaps)
    assert not explanation.tell(services(service), found.question).decision.allowed
    direct = replace(found.question, forwarded=None)
    assert explanation.tell(services(service), direct).decision.allowed


CONDITIONS: list[tuple[dict[str, Any], bool]] = [
    (VIA_S3, True),
    ({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}, False),
    ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, True),
    ({"StringEquals": {"kms:EncryptionContext:aws:s3:arn": OBJECT}}, True),
    ({"StringEquals": {"kms:EncryptionContext:aws:s3:arn": BUCKET}}, False),
    ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["aws:s3:arn"]}}, True),
    ({"ArnLike": {"aws:SourceArn": f"{BUCKET}/*"}}, True),
    ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::other/*"}}, False),
    ({"Bool": {"aws:ViaAWSService": "true"}}, True),
    ({"Bool": {"aws:SecureTransport": "true"}}, True),
    ({"StringEquals": {"aws:CalledViaFirst": "s3.amazonaws.com"}}, True),
    ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, False),
    ({"StringLike": {"aws:UserAgent": "*"}}, False),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS, ids=range(len(CONDITIONS)))
def test_conditions(service: Service, condition: dict[str, Any], holds: bool) -> None:
    assert allowed(service, key(service, {**_DENY, "Condition": condition})) is not holds


def test_what_comes_in_the_clear_goes_on_in_the_clear(service: Service) -> None:
    arn = key(service, {**_DENY, "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    with pytest.raises(e.AccessDenied):
        client(service).generate_data_key(asked(service, tls=False), use(arn))


def test_the_managed_key_is_s3s_alone(service: Service) -> None:
    _, nobody_in_particular = service.user("plain")
    made = client(service).generate_data_key(asked(service), use("alias/aws/s3"))
    assert allowed(service, made.key_arn, nobody_in_particular)
    refusal = service.refused("GenerateDataKey", KeyId=made.key_arn, KeySpec="AES_256")
    assert refusal.code == "AccessDeniedException"
    assert not allowed(service, made.key_arn, service.account(OTHER))


def test_grants_hold_for_the_caller_and_the_object(service: Service) -> None:
    arn = key(service)
    user, credentials = service.user("grantee")
    assert not allowed(service, arn, credentials)
    service.ok(
        "CreateGrant", KeyId=arn, GranteePrincipal=user, Operations=["GenerateDataKey"],
        Constraints={"EncryptionContextSubset": CONTEXT},
    )  # fmt: skip
    assert allowed(service, arn, credentials)
    elsewhere = use(arn, context={"aws:s3:arn": BUCKET})
    call = asked(service, credentials)
    assert not client(service).still_allows(call, "GenerateDataKey", elsewhere, key_arn=arn, since=0.0)
    assert not client(service).still_allows(call, "Decrypt", use(arn), key_arn=arn, since=0.0)


def test_another_accounts_key(service: Service) -> None:
    lent = {
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": "kms:GenerateDataKey",
        "Resource": "*",
    }  # fmt: skip
    stranger = service.account(OTHER)
    assert allowed(service, key(service, lent), stranger)
    with pytest.raises(e.AccessDenied, match="because the resource does not exist in this Region"):
        client(service).generate_data_key(asked(service, stranger), use(key(service)))


def _disabled(service: Service) -> tuple[str, str]:
    arn = key(service)
    service.ok("DisableKey", KeyId=arn)
    return arn, f"{arn} is disabled."


def _pending_deletion(service: Service) -> tuple[str, str]:
    arn = key(service)
    service.ok("ScheduleKeyDeletion", KeyId=arn)
    return arn, f"{arn} is pending deletion."


def _absent(service: Service) -> tuple[str, str]:
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/12345678-1234-1234-1234-1234567890ab"
    return arn, f"Key '{arn}' does not exist"


def _elsewhere(service: Service) -> tuple[str, str]:
    return key(service).replace(REGION, "eu-west-1"), "Invalid arn eu-west-1"


def _asymmetric(service: Service) -> tuple[str, str]:
    arn: str = service.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["Arn"]
    return arn, f"{arn} key usage is SIGN_VERIFY which is not valid for GenerateDataKey."


FAILURES: list[tuple[Callable[[Service], tuple[str, str]], type[e.S3Error]]] = [
    (_disabled, e.KmsDisabled),
    (_pending_deletion, e.KmsInvalidState),
    (_absent, e.KmsNotFound),
    (_elsewhere, e.KmsNotFound),
    (_asymmetric, e.KmsInvalidKeyUsage),
    (lambda _: ("fake-key-id", "Invalid keyId 'fake-key-id'"), e.KmsNotFound),
    (lambda _: ("arn:aws:kms:nonsense", "Invalid arn arn:aws:kms:nonsense"), e.KmsNotFound),
]


@pytest.mark.parametrize(("scene", "error"), FAILURES, ids=range(len(FAILURES)))
def test_failures(
    service: Service, scene: Callable[[Service], tuple[str, str]], error: type[e.S3Error]
) -> None:
    named, text = scene(service)
    with pytest.raises(error) as raised:
        client(service).generate_data_key(asked(service), use(named))
    assert raised.value.message == text
    assert records(service, "GenerateDataKey")[-1]["errorMessage"] == text
    assert not client(service).still_allows(
        asked(service), "GenerateDataKey", use(named), key_arn=named, since=time.monotonic()
    )


def test_another_context_or_key_opens_nothing(service: Service) -> None:
    kms, call, arn, other = client(service), asked(service), key(service), key(service)
    made = kms.generate_data_key(call, use(arn))
    with pytest.raises(e.KmsInvalidCiphertext):
        kms.decrypt(call, use(arn, context={}), made.ciphertext)
    with pytest.raises(e.KmsInvalidCiphertext):
        kms.decrypt(call, use(other), made.ciphertext)


def test_a_context_that_is_too_large_is_the_clients_fault(service: Service) -> None:
    with pytest.raises(e.InvalidArgument):
        client(service).generate_data_key(asked(service), use(key(service), context={"a": "b" * 9_000}))


def test_a_judgement_leaves_no_trace(service: Service) -> None:
    arn, before = key(service), len(records(service, "GenerateDataKey"))
    assert allowed(service, arn)
    assert len(records(service, "GenerateDataKey")) == before + 1


def test_a_change_of_state_or_policy_holds_at_once(service: Service) -> None:
    arn = key(service)
    assert allowed(service, arn)
    service.ok("PutKeyPolicy", KeyId=arn, Policy=policy(_DENY))
    assert not allowed(service, arn)


def test_calls_are_charged_once_to_the_callers_account(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[tuple[Count, ...]] = []
    taken: list[Plan] = []
    stranger = service.account(OTHER)
    arn = key(service, {**_DENY, "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}})
    limiter = services(service).limiter
    plan = limiter.plan

    def noted(set_limits: Any, counts: tuple[Count, ...], *others: Any) -> Plan:
        planned.append(counts)
        return plan(set_limits, counts, *others)

    monkeypatch.setattr(limiter, "plan", noted)
    monkeypatch.setattr(limiter, "take", lambda plan, **_: taken.append(plan))
    assert allowed(service, arn, stranger)
    assert planned == [((OTHER, REGION, "CryptographicOperationsSymmetric", 1),)]
    assert len(taken) == 1


def test_nothing_is_disclosed_without_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(tmp_path / "data", Limits(audit_deadline=2))
    arn, call = key(service), asked(service)
    monkeypatch.setattr(service._worker.commit._log, "append", _fail)
    with pytest.raises(e.InternalError):
        client(service).generate_data_key(call, use(arn))
    monkeypatch.undo()
    service.close()


def _fail(_rows: object) -> None:
    raise OSError


def test_the_pipeline_raises_the_fault_itself(service: Service) -> None:
    call = asked(service)
    call.document = {"Limit": 0}
    with pytest.raises(ValidationException):
        pipeline(service).perform(call)
