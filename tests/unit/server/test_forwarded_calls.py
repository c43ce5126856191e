"""Callers of another server: who they are here, and that each claim is good once."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.credentials import Credentials
from msgspec import structs

from kms_server.clock import real_now
from kms_server.errors import (
    AccessDeniedException,
    InvalidSignatureException,
    ServiceError,
    ThrottlingException,
)
from kms_server.iam.principal import NOBODY, Principal
from kms_server.keyring.cache import WouldBlock
from kms_server.keyring.forwarded_callers import Described, describe, load
from kms_server.keyring.keyring import Keyring
from kms_server.operations.call import Forwarded
from kms_server.operations.registry import find
from kms_server.protocol.forwarding import HEADER, Claim, claim_key, seal
from kms_server.protocol.message import Request
from kms_server.server import forwarded_calls
from kms_server.server.forwarded_calls import ForwardedCalls
from tests.unit.operations.query_service import allow, credentials, document, ok, role, trusting, user
from tests.unit.operations.service import ACCOUNT, Service

KEY, DECRYPT = claim_key(b"k" * 32), find("kms", "Decrypt")
NARROW = document(allow("kms:Decrypt"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service"))
    yield made
    made.close()


def keyring(service: Service) -> Keyring:
    found = service._worker.pipeline._services.keyring
    found.refresh(may_block=True)
    return found


def signer(service: Service, by: Credentials) -> Principal:
    """Whoever signs with credentials."""
    if by.token is not None:
        return keyring(service).session(by.access_key, by.token, may_block=True).principal
    identity = keyring(service).identity(by.access_key, may_block=True)
    assert identity is not None
    return identity.principal


def travelled(service: Service, principal: Principal) -> Principal | None:
    """A principal after it has been told to a server with the same identities."""
    told: Any = json.loads(json.dumps(describe(principal)))
    with service.database.read() as connection:
        return load(Described(**told), connection, anyone=False)


def assumed(service: Service) -> Credentials:
    """A session of a role, with a session policy, tags and a source identity."""
    _, by = user(service, "starter", allow("sts:*"))
    trust = trusting(
        {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"
    )
    made = role(service, "worker", trust, policy=document(allow("kms:*")), tags={"at": "home"})
    told = ok(
        service, "sts", "AssumeRole", by=by, RoleArn=made.arn, RoleSessionName="s-1", Policy=NARROW,
        Tags=[{"Key": "team", "Value": "blue"}], SourceIdentity="mira",
    )  # fmt: skip
    return credentials(told)


def test_everybody_is_the_same_elsewhere(service: Service) -> None:
    _, by = user(service, "ada", allow("sts:*"))
    for signed in (
        service._root, by, assumed(service),
        credentials(ok(service, "sts", "GetSessionToken")),
        credentials(ok(service, "sts", "GetSessionToken", by=by)),
        credentials(ok(service, "sts", "GetFederationToken", by=by, Name="fed", Policy=NARROW)),
        credentials(ok(service, "sts", "GetFederationToken", by=by, Name="bare")),
        credentials(ok(service, "sts", "GetFederationToken", Name="of-root", Policy=NARROW)),
    ):  # fmt: skip
        principal = signer(service, signed)
        assert _plain(travelled(service, principal)) == _plain(principal)


def test_a_service_is_the_same_elsewhere(service: Service) -> None:
    cloudtrail = Principal.service(
        "cloudtrail.amazonaws.com", ACCOUNT, "arn:aws:cloudtrail:us-east-1:1:trail/a"
    )
    assert travelled(service, cloudtrail) == cloudtrail


def _plain(principal: Principal | None) -> tuple[Any, ...]:
    """A principal without the tags that are handed on to further sessions, which stay; policies by their names."""
    assert principal is not None
    session = principal.session
    own = [one.name for one in principal.policies]
    if session is None:
        return replace(principal, policies=()), own
    of_session = None if session.policies is None else [one.name for one in session.policies]
    return (
        replace(principal, policies=(), session=replace(session, policies=None, transitive={})),
        own,
        of_session,
    )


def test_who_is_not_here(service: Service) -> None:
    root = Principal.root("999999999999", "AKIA")
    stranger = replace(root, kind="IAMUser", user_name="nobody")
    assert travelled(service, root) is None
    assert travelled(service, stranger) is None
    with service.database.read() as connection:
        found = load(Described("Root", "999999999999", "AKIA"), connection, anyone=True)
    assert found == root


def test_who_cannot_travel() -> None:
    for one in (NOBODY, Principal.operator(ACCOUNT)):
        with pytest.raises(AccessDeniedException):
            describe(one)


# --- claims -----------------------------------------------------------------------------------


def request(service: Service, name: str = "s3", **more: Any) -> Request:
    plain = Request("POST", "/", {"x-amz-target": "TrentService.Decrypt"}, b"{}", "")
    claim = Claim(
        describe(signer(service, service._root)) | more, name, "eu-west-1", "arn:aws:s3:::b/k", ACCOUNT
    )
    return structs.replace(plain, headers={**plain.headers, HEADER: seal(claim, plain, KEY, now=real_now())})


def calls(service: Service) -> ForwardedCalls:
    return ForwardedCalls(KEY, keyring(service), dev=False)


def test_the_caller_and_the_service(service: Service) -> None:
    principal, forwarded = calls(service).caller(request(service), DECRYPT, may_block=True)
    assert principal.is_root
    assert forwarded == Forwarded("s3", "eu-west-1", "arn:aws:s3:::b/k", ACCOUNT)


def test_what_goes_to_a_thread_was_not_seen(service: Service) -> None:
    made, asked = calls(service), request(service)
    with pytest.raises(WouldBlock):
        made.caller(asked, DECRYPT, may_block=False)
    made.caller(asked, DECRYPT, may_block=True)
    with pytest.raises(InvalidSignatureException, match="before"):
        made.caller(asked, DECRYPT, may_block=True)


@pytest.mark.parametrize(
    ("asked", "operation", "error"),
    [
        ({"name": "ec2"}, "Decrypt", AccessDeniedException),
        ({}, "Encrypt", AccessDeniedException),
        ({}, "CreateGrant", AccessDeniedException),
        ({"account": "999999999999"}, "Decrypt", AccessDeniedException),
        ({"news": 1}, "Decrypt", InvalidSignatureException),
    ],
    ids=range(5),
)
def test_refusals(service: Service, asked: dict[str, Any], operation: str, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        calls(service).caller(request(service, **asked), find("kms", operation), may_block=True)


def test_claims_are_remembered_while_they_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    seen = forwarded_calls._Seen()
    seen.first_time("a")
    now += 34
    seen.first_time("b")
    for later in (0, 2, 32):
        now += later
        with pytest.raises(InvalidSignatureException):
            seen.first_time("b")
    now += 70
    seen.first_time("b")
    monkeypatch.setattr(forwarded_calls, "_MOST_SEEN", 1)
    with pytest.raises(ThrottlingException):
        seen.first_time("c")
