"""What an explanation decides is what the live call gets, and the grants that it names are those that count."""

from collections.abc import Iterator
from typing import Any

import pytest

from kms_server.iam.story import Story
from kms_server.operations import explanation
from kms_server.operations.explanation import Question
from kms_server.server.services import services_of
from kms_server.storage import identities
from tests.unit.operations.query_service import Iam, allow, credentials, document, ok, role, trusting, user
from tests.unit.operations.service import ACCOUNT, REGION, Refusal, Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service"))
    yield made
    made.close()


def told(service: Service, arn: str, action: str, key: str, **members: Any) -> Story:
    services = services_of(service._worker.state)
    principal = explanation.find_caller(services, arn, services.clock.now())
    return explanation.tell(
        services, Question(principal, action, REGION, services.clock.now(), key, **members)
    )


CONSTRAINTS: list[dict[str, Any]] = [
    {},
    {"EncryptionContextEquals": {"a": "1"}},
    {"EncryptionContextEquals": {"a": "1", "b": "2"}},
    {"EncryptionContextSubset": {"a": "1"}},
    {"EncryptionContextSubset": {"A": "1"}},
    {"SourceArn": "arn:aws:sns:us-east-1:000000000000:t"},
]
CONTEXTS: list[dict[str, str]] = [{}, {"a": "1"}, {"a": "1", "b": "2"}, {"a": "2"}]


@pytest.mark.parametrize("constraints", CONSTRAINTS, ids=str)
def test_grants(service: Service, constraints: dict[str, Any]) -> None:
    name = f"grantee-{CONSTRAINTS.index(constraints)}"
    one, by = user(service, name)
    key = service.key()["KeyId"]
    made = service.ok(
        "CreateGrant", KeyId=key, GranteePrincipal=one.arn, Operations=["Encrypt", "DescribeKey"],
        Constraints=constraints,
    )  # fmt: skip
    for context in CONTEXTS:
        live = service.call("Encrypt", by=by, KeyId=key, Plaintext=b"x", EncryptionContext=context)
        story = told(service, one.arn, "kms:Encrypt", key, encryption_context=context)
        assert story.decision.allowed == (not isinstance(live, Refusal))
        assert story.grants[0].matched == story.decision.allowed
        assert story.decision.grant == (made["GrantId"] if story.decision.allowed else None)
    described = told(service, one.arn, "kms:DescribeKey", key)
    assert described.decision.allowed == (
        not isinstance(service.call("DescribeKey", by=by, KeyId=key), Refusal)
    )
    assert described.grants[0].matched == described.decision.allowed
    assert not told(service, one.arn, "kms:Decrypt", key).decision.allowed


CONDITIONS: list[tuple[dict[str, Any], bool]] = [
    ({"StringEquals": {"aws:username": "conditional-${aws:PrincipalTag/none, '0'}"}}, True),
    ({"StringEquals": {"kms:EncryptionContext:tenant": "7"}}, True),
    ({"StringEquals": {"kms:EncryptionContext:tenant": "8"}}, False),
    ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["tenant", "x"]}}, True),
    ({"StringEquals": {"aws:ResourceTag/team": "blue"}}, True),
    ({"StringEquals": {"aws:ResourceTag/team": "red"}}, False),
    ({"StringEquals": {"kms:RequestAlias": "alias/conditional"}}, True),
    ({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/cond*"}}, True),
    ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:CallerAccount": ACCOUNT}}, True),
    ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, False),
    ({"DateLessThan": {"aws:CurrentTime": "2001-01-01T00:00:00Z"}}, False),
]


def test_conditions(service: Service) -> None:
    key = service.key(Tags=[{"TagKey": "team", "TagValue": "blue"}])["KeyId"]
    service.ok("CreateAlias", AliasName="alias/conditional", TargetKeyId=key)
    for number, (condition, allowed) in enumerate(CONDITIONS):
        name = f"conditional-{number}"
        one, by = user(service, name, allow("kms:Encrypt", Condition=condition))
        live = service.call(
            "Encrypt", by=by, KeyId="alias/conditional", Plaintext=b"x", EncryptionContext={"tenant": "7"}
        )
        story = told(service, one.arn, "kms:Encrypt", "alias/conditional", encryption_context={"tenant": "7"})
        assert (story.decision.allowed, not isinstance(live, Refusal)) == (allowed, allowed), condition


def test_what_nobody_sent_is_not_there(service: Service) -> None:
    """Where a request comes from, and whether over TLS, is for the question to say."""
    key = service.key()["KeyId"]
    conditions = [{"Bool": {"aws:SecureTransport": "false"}}, {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}]
    given = [{"aws:SecureTransport": ["false"]}, {"aws:SourceIp": ["10.0.0.1"]}]
    for number, (condition, values) in enumerate(zip(conditions, given, strict=True)):
        one, _ = user(service, f"sender-{number}", allow("kms:Encrypt", Condition=condition))
        assert not told(service, one.arn, "kms:Encrypt", key).decision.allowed
        assert told(service, one.arn, "kms:Encrypt", key, given=values).decision.allowed


def test_a_source_may_be_given(service: Service) -> None:
    one, _ = user(service, "sourced")
    key = service.key()["KeyId"]
    source = "arn:aws:sns:us-east-1:000000000000:t"
    service.ok(
        "CreateGrant",
        KeyId=key,
        GranteePrincipal=one.arn,
        Operations=["Encrypt"],
        Constraints={"SourceArn": source},
    )
    for given, allowed in (([source], True), ([source + "x"], False)):
        story = told(service, one.arn, "kms:Encrypt", key, given={"aws:SourceArn": given})
        assert (story.decision.allowed, story.grants[0].matched) == (allowed, allowed)


def test_grants_that_make_grants(service: Service) -> None:
    one, _ = user(service, "maker")
    key = service.key()["KeyId"]
    made = [
        service.ok("CreateGrant", KeyId=key, GranteePrincipal=one.arn, Operations=["CreateGrant", *more])[
            "GrantId"
        ]
        for more in (["Encrypt"], ["Encrypt", "Decrypt"], ["Sign"][:0])
    ]
    story = told(service, one.arn, "kms:CreateGrant", key, parameters={"Operations": ["Encrypt"]})
    assert story.decision.allowed
    assert {grant.grant_id for grant in story.grants if grant.matched} == set(made[:2])
    refused = told(service, one.arn, "kms:CreateGrant", key, parameters={"Operations": ["DescribeKey"]})
    assert not refused.decision.allowed
    assert not any(grant.matched for grant in refused.grants)


def test_grants_of_others_are_few(service: Service) -> None:
    one, _ = user(service, "lonely")
    other, _ = user(service, "popular")
    key = service.key()["KeyId"]
    for _ in range(23):
        service.ok("CreateGrant", KeyId=key, GranteePrincipal=other.arn, Operations=["Encrypt"])
    own = service.ok("CreateGrant", KeyId=key, GranteePrincipal=one.arn, Operations=["Encrypt"])["GrantId"]
    story = told(service, one.arn, "kms:Encrypt", key)
    assert (len(story.grants), story.untold) == (21, 3)
    assert [grant.grant_id for grant in story.grants if grant.matched] == [own]


def test_sessions_of_roles(service: Service) -> None:
    batch = role(
        service,
        "Nightly",
        trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        policy=document(allow("kms:Encrypt")),
    )
    _, assumer = user(service, "assumer", allow("sts:AssumeRole"))
    by = credentials(ok(service, "sts", "AssumeRole", by=assumer, RoleArn=batch.arn, RoleSessionName="run-7"))
    key = service.key()["KeyId"]
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/Nightly/run-7"
    calls: list[tuple[str, dict[str, Any]]] = [("Encrypt", {"Plaintext": b"x"}), ("DescribeKey", {})]
    for action, members in calls:
        live = service.call(action, by=by, KeyId=key, **members)
        for arn in (session, batch.arn):
            story = told(service, arn, f"kms:{action}", key)
            assert story.decision.allowed == (not isinstance(live, Refusal))
    assert told(service, session, "kms:Encrypt", key).principal == session


def test_who_is_gone_is_told(service: Service) -> None:
    one, _ = user(service, "gone")
    other, _ = user(service, "left")
    statements = [
        allow("kms:*") | {"Principal": {"AWS": ACCOUNT}},
        allow("kms:*") | {"Principal": {"AWS": [one.arn, other.arn]}},
    ]
    key = service.key(Policy=document(*statements))["KeyId"]
    with service.database.write() as tx:
        identities.remove(tx, one)
    again, _ = user(service, "gone")
    assert again.arn == one.arn
    story = told(service, again.arn, "kms:Encrypt", key)
    (words,) = [one.words for one in story.policies[0].statements[1].mismatches]
    assert words == (f"names {one.unique_id} (who no longer exists), {other.arn}, the caller is {again.arn}")
    assert not story.decision.allowed


def test_iam_by_its_own_api(service: Service) -> None:
    """What the API makes, explanations know at once."""
    iam = Iam(service)
    arn = iam.ok("CreateUser", UserName="api")["User"]["Arn"]
    key = service.key()["KeyId"]
    assert not told(service, arn, "kms:Encrypt", key).decision.allowed
    iam.ok("PutUserPolicy", UserName="api", PolicyName="p", PolicyDocument=document(allow("kms:Encrypt")))
    story = told(service, arn, "kms:Encrypt", key)
    assert story.decision.allowed
    assert story.policies[1].name == "inline policy p of user api"
