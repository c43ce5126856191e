"""Global condition keys: the right value lets a request in, another keeps it out, and absent keys are absent."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec import structs

from kms_server.iam.principal import Issuer, Session
from kms_server.operations.call import Call, Forwarded
from kms_server.protocol.message import TlsDetails
from tests.unit.operations.condition_scenes import by
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service

DENIED = "AccessDeniedException"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/path/r"
PROVIDER = "id.example.com/realms/x"
BEGAN = 1_700_000_000.7
IN_SESSION: Mapping[str, Any] = {
    "kind": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", "unique_id": "AROAR:s",
    "user_name": None, "tags": {"Team": "blue"},
    "session": Session(
        BEGAN, Issuer("Role", "AROAR", ROLE, ACCOUNT, "r"), source_identity="mira",
        web_identity={f"{PROVIDER}:sub": "Subject", f"{PROVIDER}:aud": "client"},
    ),
}  # fmt: skip
FEDERATED: Mapping[str, Any] = {
    "kind": "FederatedUser", "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/f", "unique_id": f"{ACCOUNT}:f",
    "user_name": None, "session": Session(BEGAN, Issuer("IAMUser", "AIDAMIRA", "arn", ACCOUNT, "mira")),
}  # fmt: skip
TEXT = "StringEquals"
Case = tuple[str, str, Any, Any]
OF_A_USER: list[Case] = [
    ("aws:PrincipalArn", "ArnEquals", f"arn:aws:iam::{ACCOUNT}:user/mira", ROLE),
    ("aws:PrincipalAccount", TEXT, ACCOUNT, "111122223333"),
    ("aws:PrincipalType", TEXT, "User", "AssumedRole"),
    ("aws:PrincipalTag/team", TEXT, "red", "Red"),
    ("aws:PrincipalIsAWSService", "Bool", "false", "true"),
    ("aws:userid", TEXT, "AIDAMIRA", "AIDAOTHER"),
    ("aws:username", TEXT, "mira", "Mira"),
    ("aws:SourceIp", "IpAddress", "192.0.2.0/24", "192.0.3.0/24"),
    ("aws:SecureTransport", "Bool", "true", "false"),
    ("aws:UserAgent", TEXT, "agent/1", "agent/2"),
    ("aws:Referer", TEXT, "http://here", "http://there"),
    ("aws:RequestedRegion", TEXT, REGION, "eu-west-1"),
    ("aws:CurrentTime", "DateGreaterThan", "2024-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
    ("aws:EpochTime", "NumericGreaterThan", "1700000000", "4100000000"),
    ("aws:ResourceAccount", TEXT, ACCOUNT, "111122223333"),
    ("aws:ViaAWSService", "Bool", "false", "true"),
]
OF_A_SESSION: list[Case] = [
    ("aws:PrincipalArn", "ArnEquals", ROLE, f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"),
    ("aws:PrincipalType", TEXT, "AssumedRole", "User"),
    ("aws:PrincipalTag/Team", TEXT, "blue", "red"),
    ("aws:userid", TEXT, "AROAR:s", "AROAR"),
    ("aws:TokenIssueTime", "DateEquals", "2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z"),
    ("aws:MultiFactorAuthPresent", "Bool", "false", "true"),
    ("aws:SourceIdentity", TEXT, "mira", "other"),
    ("aws:FederatedProvider", TEXT, f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}", PROVIDER),
    (f"{PROVIDER}:SUB", TEXT, "Subject", "subject"),
    (f"{PROVIDER}:aud", TEXT, "client", "other"),
]
OF_A_FEDERATED_USER: list[Case] = [
    ("aws:PrincipalArn", "ArnEquals", f"arn:aws:sts::{ACCOUNT}:federated-user/f", "arn:aws:iam::1:user/mira"),
    ("aws:PrincipalType", TEXT, "FederatedUser", "User"),
    ("aws:userid", TEXT, f"{ACCOUNT}:f", "f"),
]
OF_A_SERVICE: list[Case] = [
    ("aws:ViaAWSService", "Bool", "true", "false"),
    ("aws:CalledVia", "ForAnyValue:StringEquals", "s3.amazonaws.com", "s3"),
    ("aws:CalledViaFirst", TEXT, "s3.amazonaws.com", "s3"),
    ("aws:CalledViaLast", TEXT, "s3.amazonaws.com", "s3"),
    ("aws:SourceArn", "ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::c*"),
    ("aws:SourceAccount", TEXT, "111122223333", ACCOUNT),
]
ABSENT = {
    "user": "aws:TokenIssueTime aws:MultiFactorAuthPresent aws:SourceIdentity aws:FederatedProvider aws:CalledVia "
    "aws:CalledViaFirst aws:CalledViaLast aws:SourceArn aws:SourceAccount id.example.com:sub",
    "session": "aws:username",
    "federated": "aws:username aws:FederatedProvider aws:SourceIdentity",
    "service": "aws:SourceIp",
}
NOWHERE = (
    "aws:PrincipalOrgID aws:PrincipalOrgPaths aws:ResourceOrgID aws:SourceVpc aws:SourceVpce aws:VpcSourceIp "
    "aws:PrincipalServiceName aws:MultiFactorAuthAge kms:RecipientAttestation:ImageSha384 "
    "kms:RecipientAttestation:PCR0 kms:RecipientAttestation:NitroTPMPCR4"
)


def _changed(condition: dict[str, Any], who: str) -> Callable[[Call], None]:
    """A call by one of the kinds of callers, allowed under a condition alone."""
    more: Mapping[str, Any] = {
        "user": {"tags": {"Team": "red"}}, "session": IN_SESSION, "federated": FEDERATED, "service": {},
    }[who]  # fmt: skip
    source = Forwarded("s3", REGION, "arn:aws:s3:::bucket", "111122223333") if who == "service" else None
    statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition}
    change = by(statement, forwarded=source, **more)

    def complete(call: Call) -> None:
        change(call)
        headers = {**call.request.headers, "user-agent": "agent/1", "referer": "http://here"}
        tls = TlsDetails("TLSv1.3", "TLS_AES_128_GCM_SHA256")
        call.request = structs.replace(call.request, headers=headers, source_ip="192.0.2.7", tls=tls)

    return complete


def _allowed(service: Service, keys: Keys, who: str, condition: dict[str, Any]) -> bool:
    change = _changed(condition, who)
    answer = service.call("Encrypt", change=change, KeyId=keys.arn("symmetric"), Plaintext=b"p")
    assert not isinstance(answer, Refusal) or answer.code == DENIED
    return not isinstance(answer, Refusal)


@pytest.mark.parametrize(
    ("who", "case"),
    [
        pytest.param(
            who, case, id=f"{who}-{case[0]}",
            marks=[
                pytest.mark.covers(f"global condition keys: {case[0].partition('/')[0]}", way)
                for way in ("allowed", "denied")
                if case[0].startswith("aws:")
            ],
        )
        for who, cases in (
            ("user", OF_A_USER), ("session", OF_A_SESSION), ("federated", OF_A_FEDERATED_USER),
            ("service", OF_A_SERVICE),
        )
        for case in cases
    ],
)  # fmt: skip
def test_a_value(service: Service, keys: Keys, who: str, case: Case) -> None:
    key, operator, right, wrong = case
    assert _allowed(service, keys, who, {operator: {key: right}})
    assert not _allowed(service, keys, who, {operator: {key: wrong}})
    assert not _allowed(service, keys, who, {"Null": {key: "true"}})


@pytest.mark.parametrize("who", ABSENT)
def test_keys_that_are_absent(service: Service, keys: Keys, who: str) -> None:
    absent = dict.fromkeys(ABSENT[who].split(), "true")
    assert _allowed(service, keys, who, {"Null": absent})


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(
            key, marks=pytest.mark.covers(
                f"{'global condition keys' if key.startswith('aws:') else 'condition keys of AWS KMS'}: "
                f"{key.rstrip('0123456789') if 'PCR' in key else key}",
                "denied",
            ),
        )
        for key in NOWHERE.split()
    ],
)  # fmt: skip
def test_keys_that_no_request_has(service: Service, keys: Keys, key: str) -> None:
    assert not _allowed(service, keys, "session", {"StringLike": {key: "*"}})
    assert _allowed(service, keys, "session", {"StringNotLike": {key: "*"}})


def test_the_time_is_the_services(service: Service, keys: Keys) -> None:
    later = {"DateGreaterThan": {"aws:CurrentTime": "2130-01-01"}}
    assert not _allowed(service, keys, "user", later)
    service.advance(120 * 366 * 86_400)
    assert _allowed(service, keys, "user", later)
