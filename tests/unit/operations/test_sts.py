"""STS for the callers themselves and those they vouch for, and what temporary credentials cannot ask for."""

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from kms_server.clock import real_now
from kms_server.protocol.message import Request
from kms_server.server import authentication
from kms_server.server.pipeline import handle
from kms_server.storage import access_keys, identities
from tests.unit.operations.query_service import (
    HOST,
    allow,
    call,
    credentials,
    document,
    ok,
    records,
    refused,
    role,
    trusting,
    user,
)
from tests.unit.operations.service import ACCOUNT, Refusal, Service

FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"


def test_everybody_may_know_who_they_are(service: Service) -> None:
    mira, by = user(service, "denied", allow("*", effect="Deny"))
    told = ok(service, "sts", "GetCallerIdentity", by=by)
    assert (told["UserId"], told["Account"], told["Arn"]) == (mira.unique_id, ACCOUNT, mira.arn)
    root = ok(service, "sts", "GetCallerIdentity")
    assert (root["UserId"], root["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    record = records(service)[0]
    assert (record["eventName"], record["eventSource"]) == ("GetCallerIdentity", "sts.amazonaws.com")
    assert record["requestParameters"] is None


def test_whose_an_access_key_is(service: Service) -> None:
    _, by = user(service, "keyinfo", allow("sts:GetAccessKeyInfo"))
    _, other = user(service, "keyother")
    foreign = service.account("777788889999")
    session = credentials(ok(service, "sts", "GetSessionToken", by=foreign))
    for one in (foreign, session):
        assert (
            ok(service, "sts", "GetAccessKeyInfo", by=by, AccessKeyId=one.access_key)["Account"]
            == "777788889999"
        )
    assert (
        refused(service, "sts", "GetAccessKeyInfo", by=by, AccessKeyId="AKIA" + "A" * 16).code
        == "ValidationError"
    )
    assert (
        refused(service, "sts", "GetAccessKeyInfo", by=other, AccessKeyId=by.access_key).code
        == "AccessDenied"
    )


def test_a_users_own_session(service: Service) -> None:
    mira, by = user(service, "own", allow("kms:ListKeys"), allow("sts:GetSessionToken", effect="Deny"))
    told = ok(service, "sts", "GetSessionToken", by=by)
    session = credentials(told)
    identity = ok(service, "sts", "GetCallerIdentity", by=session)
    assert (identity["UserId"], identity["Arn"]) == (mira.unique_id, mira.arn)
    shown = records(service)[0]["userIdentity"]
    assert shown["type"] == "IAMUser"
    assert shown["userName"] == "own"
    assert shown["accessKeyId"] == session.access_key
    assert shown["sessionContext"].keys() == {"attributes"}
    service.ok("ListKeys", by=session)
    assert service.refused("ListAliases", by=session).code == "AccessDeniedException"
    logged = json.dumps(records(service))
    assert told["Credentials"]["SecretAccessKey"] not in logged
    assert told["Credentials"]["SessionToken"] not in logged


@pytest.mark.parametrize(
    ("asked", "lives"),
    [({}, 43_200), ({"DurationSeconds": 900}, 900), ({"DurationSeconds": 129_600}, 129_600)],
)
def test_how_long_a_users_session_lives(service: Service, asked: dict[str, int], lives: int) -> None:
    _, by = user(service, f"lives{lives}")
    assert _seconds(service, by, **asked) == pytest.approx(lives, abs=5)
    assert _seconds(service, None, **asked) == pytest.approx(min(lives, 3_600), abs=5)


def _seconds(service: Service, by: Credentials | None, **asked: int) -> float:
    told = ok(service, "sts", "GetSessionToken", by=by, **asked)
    return float(told["Credentials"]["Expiration"].timestamp() - service._worker.state.clock.now())


def test_what_a_users_session_cannot_ask_for(service: Service) -> None:
    mira, by = user(service, "cannot", allow("*"))
    session = credentials(ok(service, "sts", "GetSessionToken", by=by))
    asked: dict[str, dict[str, Any]] = {
        "GetSessionToken": {}, "GetFederationToken": {"Name": "bob"}, "GetAccessKeyInfo": {"AccessKeyId": "A" * 16},
    }  # fmt: skip
    for operation, members in asked.items():
        refusal = call(service, "sts", operation, by=session, **members)
        assert refusal == Refusal("AccessDenied", f"Cannot call {operation} with session credentials")
    made = role(service, "FromSession", trusting({"AWS": mira.arn}))
    ok(service, "sts", "AssumeRole", by=session, RoleArn=made.arn, RoleSessionName="s-1")


def test_a_federated_user(service: Service) -> None:
    _, by = user(service, "broker", allow("sts:GetFederationToken", "kms:ListKeys", "kms:ListAliases"))
    told = ok(
        service,
        "sts",
        "GetFederationToken",
        by=by,
        Name="bob",
        Policy=document(allow("kms:ListKeys", "kms:CreateKey")),
    )
    assert told["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:bob", "Arn": FEDERATED}
    assert told["PackedPolicySize"] >= 1
    session = credentials(told)
    identity = ok(service, "sts", "GetCallerIdentity", by=session)
    assert (identity["UserId"], identity["Arn"]) == (f"{ACCOUNT}:bob", FEDERATED)
    shown = records(service)[0]["userIdentity"]
    assert (shown["type"], shown["sessionContext"]["sessionIssuer"]["userName"]) == (
        "FederatedUser",
        "broker",
    )
    assert "userName" not in shown
    service.ok("ListKeys", by=session)
    for operation in ("ListAliases", "CreateKey"):
        assert service.refused(operation, by=session).code == "AccessDeniedException"
    made = role(service, "NotFederated", trusting({"AWS": "*"}))
    members = {"RoleArn": made.arn, "RoleSessionName": "s-1"}
    assert refused(service, "sts", "AssumeRole", by=session, **members).code == "AccessDenied"


@pytest.mark.parametrize(
    ("effect", "broker", "session", "allowed"),
    [
        ("Deny", ["kms:Encrypt"], ["kms:Encrypt"], False),
        ("Allow", [], ["kms:Encrypt"], True),
        ("Allow", [], ["kms:Decrypt"], False),
    ],
)  # fmt: skip
def test_a_federated_user_is_its_user_to_a_key_policy(
    service: Service, effect: str, broker: list[str], session: list[str], *, allowed: bool
) -> None:
    """AWS: an Allow for the user counts within the session policies, and no session gets around a Deny."""
    one, by = user(service, uuid4().hex, allow("sts:GetFederationToken", *broker))
    key = service.key()["Arn"]
    policy = json.loads(service.ok("GetKeyPolicy", KeyId=key)["Policy"])
    named = {"Effect": effect, "Principal": {"AWS": one.arn}, "Action": "kms:Encrypt", "Resource": "*"}
    policy["Statement"].append(named)
    service.ok("PutKeyPolicy", KeyId=key, Policy=json.dumps(policy))
    members: Any = {"Name": "bob", "Policy": document(allow(*session))}
    federated = credentials(ok(service, "sts", "GetFederationToken", by=by, **members))
    told = service.call("Encrypt", by=federated, KeyId=key, Plaintext=b"p")
    assert isinstance(told, dict) == allowed, told


def test_without_a_policy_a_federated_user_may_nothing(service: Service) -> None:
    for by in (None, user(service, "broker2", allow("*"))[1]):
        session = credentials(ok(service, "sts", "GetFederationToken", by=by, Name="bob"))
        assert "no session policy" in service.refused("ListKeys", by=session).text


def test_whom_root_vouches_for(service: Service) -> None:
    session = credentials(
        ok(service, "sts", "GetFederationToken", Name="bob", Policy=document(allow("kms:ListKeys")))
    )
    service.ok("ListKeys", by=session)
    assert service.refused("ListAliases", by=session).code == "AccessDeniedException"


def test_who_may_vouch(service: Service) -> None:
    _, nobody = user(service, "nobody")
    refusal = refused(service, "sts", "GetFederationToken", by=nobody, Name="bob")
    assert refusal.text.startswith(
        f"User: arn:aws:iam::{ACCOUNT}:user/nobody is not authorized to perform: sts:GetFederationToken on resource: {FEDERATED}"
    )
    _, untagged = user(service, "untagged", allow("sts:GetFederationToken"))
    tags = [{"Key": "a", "Value": "b"}]
    assert (
        "sts:TagSession"
        in refused(service, "sts", "GetFederationToken", by=untagged, Name="bob", Tags=tags).text
    )


def _altered(one: Credentials, **parts: str) -> Credentials:
    whole: dict[str, Any] = {
        "access_key": one.access_key,
        "secret_key": one.secret_key,
        "token": one.token,
    } | parts
    return Credentials(whole["access_key"], whole["secret_key"], whole["token"] or None)


def test_credentials_that_do_not_belong_together(service: Service) -> None:
    _, by = user(service, "together")
    one, other = (credentials(ok(service, "sts", "GetSessionToken", by=by)) for _ in range(2))
    assert one.token is not None
    for wrong in (
        _altered(one, token=""), _altered(one, token=str(other.token)), _altered(one, access_key=str(other.access_key)),
        _altered(one, token=one.token[:-1]), _altered(one, token=one.token + "A"), _altered(one, token="x" * 100_00),
        _altered(one, token=("B" if one.token[0] == "A" else "A") + one.token[1:]), _altered(one, access_key=str(by.access_key)),
        _altered(by, token=one.token), _altered(one, token="\u00ff"), _altered(one, token="="),
    ):  # fmt: skip
        refusal = refused(service, "sts", "GetCallerIdentity", by=wrong)
        assert refusal == Refusal(
            "InvalidClientTokenId", "The security token included in the request is invalid."
        )
        assert service.refused("ListKeys", by=wrong) == Refusal("UnrecognizedClientException", refusal.text)
    assert (
        refused(service, "sts", "GetCallerIdentity", by=_altered(one, secret_key="x")).code
        == "SignatureDoesNotMatch"
    )
    ok(service, "sts", "GetCallerIdentity", by=one)


def test_iam_takes_sessions_of_roles_only(service: Service) -> None:
    everything = allow("*")
    mira, by = user(service, "iamcaller", everything)
    made = role(service, "IamCaller", trusting({"AWS": mira.arn}), policy=document(everything))
    own = credentials(ok(service, "sts", "GetSessionToken", by=by))
    vouched = credentials(
        ok(service, "sts", "GetFederationToken", by=by, Name="bob", Policy=document(everything))
    )
    for session in (own, vouched):
        assert refused(service, "iam", "ListUsers", by=session).code == "InvalidClientTokenId"
    assumed = ok(service, "sts", "AssumeRole", by=own, RoleArn=made.arn, RoleSessionName="s-1")
    ok(service, "iam", "ListUsers", by=credentials(assumed))


def test_an_inactive_key_opens_nothing_but_its_sessions_live(service: Service) -> None:
    _, by = user(service, "inactive")
    session = credentials(ok(service, "sts", "GetSessionToken", by=by))
    for status, works in ((access_keys.INACTIVE, False), (access_keys.ACTIVE, True)):
        with service.database.write() as tx:
            key = access_keys.get(tx.connection, by.access_key)
            assert key is not None
            access_keys.set_status(tx, key, status)
        told = call(service, "sts", "GetCallerIdentity", by=by)
        assert isinstance(told, dict) is works
        if isinstance(told, Refusal):
            assert told.code == "InvalidClientTokenId"
        ok(service, "sts", "GetCallerIdentity", by=session)


def test_iam_is_in_one_region(service: Service) -> None:
    for region in ("us-east-1", "eu-west-1"):
        ok(service, "iam", "ListUsers", region=region)
        assert records(service)[0]["eventName"] == "ListUsers"
        assert records(service)[0]["awsRegion"] == "us-east-1"


def test_a_session_ends_with_its_user(service: Service) -> None:
    mira, by = user(service, "gone", allow("kms:ListKeys"))
    session = credentials(ok(service, "sts", "GetSessionToken", by=by))
    service.ok("ListKeys", by=session)
    with service.database.write() as tx:
        identities.remove(tx, mira)
    assert service.refused("ListKeys", by=session).code == "UnrecognizedClientException"


@pytest.mark.parametrize("members", [{"TokenCode": "123456"}, {"SerialNumber": "123456789"}])
def test_nobody_has_a_device(service: Service, members: Any) -> None:
    assert refused(service, "sts", "GetSessionToken", **members).code == "AccessDenied"


def test_what_is_not_offered(service: Service) -> None:
    refusal = refused(service, "sts", "DecodeAuthorizationMessage", EncodedMessage="x")
    assert refusal == Refusal(
        "InvalidAction", "Could not find operation DecodeAuthorizationMessage for version 2011-06-15"
    )


@pytest.mark.parametrize(("later", "status"), [(800, 200), (901, 403)])
def test_presigned_requests_live_a_quarter_of_an_hour(
    service: Service, monkeypatch: pytest.MonkeyPatch, later: float, status: int
) -> None:
    signed = AWSRequest("GET", f"http://{HOST}/?Action=GetCallerIdentity&Version=2011-06-15")
    SigV4QueryAuth(service._root, "sts", "us-east-1", expires=604_800).add_auth(signed)
    target = str(signed.url).removeprefix(f"http://{HOST}")
    monkeypatch.setattr(authentication, "real_now", lambda: real_now() + later)
    request = Request("GET", target, {"host": HOST}, b"", "127.0.0.1")
    assert handle(service._worker.pipeline.stages, request).response.status == status
