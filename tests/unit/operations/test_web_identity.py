"""AssumeRoleWithWebIdentity: no signature but a token of an identity provider that the role's account knows."""

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kms_server.arn import oidc_provider_arn
from kms_server.storage import identities, oidc_providers
from kms_server.storage.oidc_providers import OidcProvider
from tests.unit.operations.query_service import (
    allow,
    call,
    credentials,
    document,
    ok,
    records,
    role,
    trusting,
)
from tests.unit.operations.record_calls import violations
from tests.unit.operations.service import ACCOUNT, Refusal, Service

URL = "token.issuer.test"
PROVIDER = oidc_provider_arn(ACCOUNT, URL)
KEY = ec.generate_private_key(ec.SECP256R1())
JWKS = json.dumps({"keys": [json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k"}]})
SUBJECT = "repo:me/x:ref:main"


@pytest.fixture(scope="module", autouse=True)
def provider(service: Service) -> None:
    with service.database.write() as tx:
        identities.add_account(tx, ACCOUNT)
        oidc_providers.add(tx, OidcProvider(PROVIDER, ACCOUNT, URL, ("app",), (), JWKS, 0.0))


def token(**claims: Any) -> str:
    content = {"iss": f"https://{URL}", "aud": "app", "sub": SUBJECT, "exp": time.time() + 86_400} | claims
    return jwt.encode(content, KEY, algorithm="ES256", headers={"kid": "k"})


def trusted(service: Service, name: str, **more: Any) -> identities.Identity:
    statement = trusting({"Federated": PROVIDER}, "sts:AssumeRoleWithWebIdentity", **more)
    return role(service, name, statement, policy=document(allow("kms:ListKeys", "kms:ListAliases")))


def assume(service: Service, made: identities.Identity, **members: Any) -> dict[str, Any] | Refusal:
    asked = {"RoleArn": made.arn, "RoleSessionName": "ci-1", "WebIdentityToken": token()} | members
    return call(service, "sts", "AssumeRoleWithWebIdentity", signed=False, **asked)


def test_a_token_opens_the_role(service: Service) -> None:
    only_mine = {"StringLike": {f"{URL}:sub": "repo:me/*"}, "StringEquals": {f"{URL}:aud": "app"}}
    made = trusted(service, "Deploy", Condition=only_mine)
    told = assume(service, made)
    assert not isinstance(told, Refusal), told
    assert told["SubjectFromWebIdentityToken"] == SUBJECT
    assert (told["Provider"], told["Audience"]) == (PROVIDER, "app")
    assert told["AssumedRoleUser"]["AssumedRoleId"] == f"{made.unique_id}:ci-1"
    record = records(service)[0]
    assert violations(record) == []
    assert record["userIdentity"] == {
        "type": "WebIdentityUser", "principalId": f"{PROVIDER}:app:{SUBJECT}", "accountId": ACCOUNT, "userName": SUBJECT,
        "identityProvider": PROVIDER,
    }  # fmt: skip
    assert record["recipientAccountId"] == ACCOUNT
    assert record["requestParameters"] == {"roleArn": made.arn, "roleSessionName": "ci-1"}
    assert told["Credentials"]["SessionToken"] not in json.dumps(record)
    session = credentials(told)
    service.ok("ListKeys", by=session)
    assert ok(service, "sts", "GetCallerIdentity", by=session)["UserId"] == f"{made.unique_id}:ci-1"
    assert records(service)[0]["userIdentity"]["sessionContext"]["webIdFederationData"]


def test_a_session_policy(service: Service) -> None:
    told = assume(service, trusted(service, "Small"), Policy=document(allow("kms:ListAliases")))
    assert not isinstance(told, Refusal), told
    assert service.refused("ListKeys", by=credentials(told)).code == "AccessDeniedException"


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("subject", {"Condition": {"StringEquals": {f"{URL}:sub": "repo:you/x"}}}),
        ("audience", {"Condition": {"StringEquals": {f"{URL}:aud": "other"}}}),
        ("issuer", {"Principal": {"Federated": oidc_provider_arn(ACCOUNT, "other.test")}}),
        ("action", {"Action": "sts:AssumeRole"}),
        ("account", {"Principal": {"AWS": ACCOUNT}}),
        ("deny", {"Effect": "Deny"}),
    ],
)
def test_whom_a_role_does_not_trust(service: Service, name: str, more: dict[str, Any]) -> None:
    made = trusted(service, f"Not{name}", **more)
    refusal = Refusal("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    assert assume(service, made) == refusal
    record = records(service)[0]
    assert (record["errorCode"], record["userIdentity"]["type"]) == ("AccessDenied", "WebIdentityUser")
    assert assume(service, made, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/none") == refusal


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"WebIdentityToken": "x.y.z"}, "InvalidIdentityToken"),
        ({"WebIdentityToken": token()[:-6] + "AAAAAA"}, "InvalidIdentityToken"),
        ({"WebIdentityToken": token(aud="other")}, "InvalidIdentityToken"),
        ({"WebIdentityToken": token(iss="https://unknown.test")}, "InvalidIdentityToken"),
        ({"WebIdentityToken": token(exp=time.time() - 1)}, "ExpiredTokenException"),
        ({"WebIdentityToken": token(sub="x")}, "IDPRejectedClaim"),
        ({"RoleArn": "arn:aws:iam::111122223333:role/x"}, "InvalidIdentityToken"),
        ({"RoleArn": "x" * 20}, "ValidationError"),
        ({"ProviderId": "www.amazon.com"}, "ValidationError"),
        ({"RoleSessionName": "x"}, "ValidationError"),
    ],
    ids=range(10),
)
def test_strangers_leave_no_record(service: Service, members: dict[str, str], code: str) -> None:
    made = trusted(service, f"Stranger{abs(hash(str(members)))}"[:30])
    before = records(service)
    refusal = assume(service, made, **members)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert records(service) == before


def test_longer_than_a_role_allows(service: Service) -> None:
    refusal = assume(service, trusted(service, "Short"), DurationSeconds=3_601)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "ValidationError"


def test_an_issuer_whose_name_ends_in_a_slash(service: Service) -> None:
    url = "tenant.issuer.test/"
    arn = oidc_provider_arn(ACCOUNT, url)
    with service.database.write() as tx:
        oidc_providers.add(tx, OidcProvider(arn, ACCOUNT, url, ("app",), (), JWKS, 0.0))
    mine = {"Condition": {"StringEquals": {f"{url}:aud": "app"}}}
    made = role(service, "Slash", trusting({"Federated": arn}, "sts:AssumeRoleWithWebIdentity", **mine))
    told = assume(service, made, WebIdentityToken=token(iss=f"https://{url}"))
    assert not isinstance(told, Refusal), told
    assert told["Provider"] == arn
