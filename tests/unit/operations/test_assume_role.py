"""AssumeRole: whom a trust policy trusts, and what the credentials are good for (STS API reference; IAM user guide)."""

import json
from random import Random
from typing import Any

import pytest

from kms_server.keyring.session_token import account_of
from kms_server.storage import identities, inline_policies
from tests.unit.operations.query_service import (
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

OTHER = "444455556666"
ANYBODY = {"AWS": "*"}
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
PASSING = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")


def assume(
    service: Service, made: identities.Identity, by: Any, session: str = "batch-7", **members: Any
) -> dict[str, Any]:
    return ok(service, "sts", "AssumeRole", by=by, RoleArn=made.arn, RoleSessionName=session, **members)


def denied(service: Service, made: identities.Identity, by: Any, **members: Any) -> Refusal:
    return refused(service, "sts", "AssumeRole", by=by, RoleArn=made.arn, RoleSessionName="s-1", **members)


def test_the_answer_and_who_calls_with_it(service: Service) -> None:
    mira, by = user(service, "answer")
    made = role(service, "Answer", trusting({"AWS": mira.arn}))
    told = assume(service, made, by)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Answer/batch-7"
    assert told["AssumedRoleUser"] == {"AssumedRoleId": f"{made.unique_id}:batch-7", "Arn": arn}
    assert account_of(told["Credentials"]["AccessKeyId"]) == ACCOUNT
    assert told["SessionTokenSize"] == len(told["Credentials"]["SessionToken"])
    assert not {"PackedPolicySize", "SourceIdentity"} & told.keys()
    identity = ok(service, "sts", "GetCallerIdentity", by=credentials(told))
    assert (identity["UserId"], identity["Account"], identity["Arn"]) == (
        f"{made.unique_id}:batch-7",
        ACCOUNT,
        arn,
    )


def test_the_record_has_no_secret(service: Service) -> None:
    mira, by = user(service, "record")
    made = role(service, "Record", trusting({"AWS": mira.arn}))
    given = assume(service, made, by, ExternalId="ext-1")["Credentials"]
    record = records(service)[0]
    assert record["eventName"] == "AssumeRole"
    assert record["eventSource"] == "sts.amazonaws.com"
    assert record["readOnly"] is True
    assert record["requestParameters"] == {
        "roleArn": made.arn,
        "roleSessionName": "batch-7",
        "externalId": "ext-1",
    }
    assert record["responseElements"]["credentials"].keys() == {"accessKeyId", "expiration"}
    assert record["responseElements"]["credentials"]["accessKeyId"] == given["AccessKeyId"]
    assert record["resources"] == [{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": made.arn}]
    for secret in (given["SecretAccessKey"], given["SessionToken"]):
        assert secret not in json.dumps(records(service))


def test_the_session_in_records(service: Service) -> None:
    mira, by = user(service, "issued")
    made = role(service, "Issued", trusting({"AWS": mira.arn}, *PASSING), policy=document(allow("kms:*")))
    session = credentials(assume(service, made, by, SourceIdentity="Mira"))
    ok(service, "sts", "GetCallerIdentity", by=session)
    identity = records(service)[0]["userIdentity"]
    created = identity["sessionContext"]["attributes"].pop("creationDate")
    assert len(created) == 20
    assert identity == {
        "type": "AssumedRole", "principalId": f"{made.unique_id}:batch-7",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Issued/batch-7", "accountId": ACCOUNT,
        "accessKeyId": session.access_key,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": made.unique_id, "arn": made.arn, "accountId": ACCOUNT,
                              "userName": "Issued"},
            "sourceIdentity": "Mira", "attributes": {"mfaAuthenticated": "false"},
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("trust", "own", "allowed"),
    [
        ({"AWS": "user"}, [], True),
        (ROOT, [], False),
        (ROOT, [allow("sts:AssumeRole")], True),
        (ANYBODY, [], True),
        ({"AWS": "user"}, [allow("sts:*", effect="Deny")], False),
        ({"AWS": f"arn:aws:iam::{OTHER}:root"}, [allow("sts:*")], False),
        ({"Service": "ec2.amazonaws.com"}, [allow("sts:*")], False),
    ],
)
def test_whom_a_role_of_the_account_trusts(
    service: Service, request: pytest.FixtureRequest, trust: Any, own: Any, *, allowed: bool
) -> None:
    name = f"n{abs(hash(request.node.name))}"[:20]
    mira, by = user(service, name, *own)
    trust = {"AWS": mira.arn} if trust == {"AWS": "user"} else trust
    made = role(service, name, trusting(trust))
    if allowed:
        assume(service, made, by)
        return
    refusal = denied(service, made, by)
    assert refusal.code == "AccessDenied"
    assert refusal.text.startswith(
        f"User: {mira.arn} is not authorized to perform: sts:AssumeRole on resource: {made.arn}"
    )


@pytest.mark.parametrize("trusts", [True, False])
@pytest.mark.parametrize("may", [True, False])
def test_across_accounts_both_sides_must_agree(service: Service, *, trusts: bool, may: bool) -> None:
    name = f"across{trusts:d}{may:d}"
    mira, by = user(service, name, *([allow("sts:AssumeRole")] if may else []))
    trust = {"AWS": mira.arn} if trusts else {"AWS": f"arn:aws:iam::{OTHER}:root"}
    made = role(service, name, trusting(trust), account=OTHER)
    if trusts and may:
        told = assume(service, made, by)
        assert ok(service, "sts", "GetCallerIdentity", by=credentials(told))["Account"] == OTHER
        return
    nobody = refused(
        service, "sts", "AssumeRole", by=by, RoleArn=f"arn:aws:iam::{OTHER}:role/none", RoleSessionName="s-1"
    )
    assert denied(service, made, by) == nobody._replace(text=nobody.text.replace("role/none", f"role/{name}"))


def test_root_assumes_no_role(service: Service) -> None:
    made = role(service, "NotForRoot", trusting(ROOT), trusting(ANYBODY))
    assert denied(service, made, None) == Refusal(
        "AccessDenied", "Roles may not be assumed by root accounts."
    )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::1:role/x",
        "arn:aws:iam::000000000000:user/x",
        "arn:aws:kms:us-east-1:000000000000:key/x",
        "x" * 20,
    ],
)
def test_what_is_no_role(service: Service, arn: str) -> None:
    _, by = user(service, f"noarn{abs(hash(arn))}"[:20])
    refusal = refused(service, "sts", "AssumeRole", by=by, RoleArn=arn, RoleSessionName="s-1")
    assert refusal == Refusal("ValidationError", f"{arn} is invalid")


def test_conditions_of_a_trust_policy(service: Service) -> None:
    mira, by = user(service, "conditions")
    condition = {
        "StringEquals": {"sts:ExternalId": "ext-1", "sts:RoleSessionName": "s-1", "aws:RequestTag/team": "red",
                         "sts:SourceIdentity": "Mira"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"], "sts:TransitiveTagKeys": ["team"]},
    }  # fmt: skip
    made = role(service, "Conditions", trusting({"AWS": mira.arn}, *PASSING, Condition=condition))
    right: dict[str, Any] = {
        "RoleSessionName": "s-1", "ExternalId": "ext-1", "Tags": [{"Key": "team", "Value": "red"}],
        "TransitiveTagKeys": ["team"], "SourceIdentity": "Mira",
    }  # fmt: skip
    ok(service, "sts", "AssumeRole", by=by, RoleArn=made.arn, **right)
    more = [*right["Tags"], {"Key": "more", "Value": ""}]
    for wrong in (
        {"ExternalId": "ext-2"}, {"RoleSessionName": "s-2"}, {"SourceIdentity": "Nora"}, {"Tags": more},
        {"Tags": more, "TransitiveTagKeys": ["more"]}, {"Tags": [{"Key": "team", "Value": "blue"}]},
    ):  # fmt: skip
        assert (
            refused(service, "sts", "AssumeRole", by=by, RoleArn=made.arn, **(right | wrong)).code
            == "AccessDenied"
        )
    for absent in ("ExternalId", "SourceIdentity"):
        fewer = {name: value for name, value in right.items() if name != absent}
        assert refused(service, "sts", "AssumeRole", by=by, RoleArn=made.arn, **fewer).code == "AccessDenied"


@pytest.mark.parametrize(
    ("members", "action"),
    [
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "sts:TagSession"),
        ({"SourceIdentity": "Mira"}, "sts:SetSourceIdentity"),
    ],
)
def test_tags_and_source_identity_take_permissions_of_their_own(
    service: Service, members: dict[str, Any], action: str
) -> None:
    name = action.partition(":")[2]
    mira, by = user(service, name)
    refusal = denied(service, role(service, name, trusting({"AWS": mira.arn})), by, **members)
    assert refusal.code == "AccessDenied"
    assert f"perform: {action} on resource" in refusal.text
    assume(
        service,
        role(service, f"{name}2", trusting({"AWS": mira.arn}, "sts:AssumeRole", action)),
        by,
        **members,
    )


def test_how_long_a_session_lives(service: Service) -> None:
    mira, by = user(service, "long")
    made = role(service, "Long", trusting({"AWS": mira.arn}), seconds=7_200)
    for seconds, code in ((899, "ValidationError"), (7_201, "ValidationError"), (43_201, "ValidationError")):
        assert denied(service, made, by, DurationSeconds=seconds).code == code
    told = assume(service, made, by, DurationSeconds=7_200)
    assert told["Credentials"]["Expiration"].tzinfo is not None
    session = credentials(told)
    service.advance(7_199)
    ok(service, "sts", "GetCallerIdentity", by=session)
    service.advance(2)
    expired = refused(service, "sts", "GetCallerIdentity", by=session)
    assert expired == Refusal("ExpiredToken", "The security token included in the request is expired")
    assert service.refused("ListKeys", by=session) == Refusal("ExpiredTokenException", expired.text)


def test_session_policies_limit_what_the_role_may(service: Service) -> None:
    mira, by = user(service, "limited")
    made = role(
        service,
        "Limited",
        trusting({"AWS": mira.arn}),
        policy=document(allow("kms:ListKeys", "kms:ListAliases")),
    )
    told = assume(service, made, by, Policy=document(allow("kms:ListKeys", "kms:CreateKey")))
    assert 1 <= told["PackedPolicySize"] <= 10
    session = credentials(told)
    service.ok("ListKeys", by=session)
    assert "no session policy allows" in service.refused("ListAliases", by=session).text
    assert service.refused("CreateKey", by=session).code == "AccessDeniedException"
    service.ok("ListAliases", by=credentials(assume(service, made, by)))


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("{", "MalformedPolicyDocument"),
        ('{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}', "MalformedPolicyDocument"),
        (document(*(allow("kms:ListKeys", Sid=f"s{n * 7919 % 100_003}") for n in range(400))), "PackedPolicyTooLarge"),
    ],
)  # fmt: skip
def test_session_policies_that_are_refused(service: Service, policy: str, code: str) -> None:
    mira, by = user(service, f"policy{len(policy)}")
    assert (
        denied(
            service, role(service, f"Policy{len(policy)}", trusting({"AWS": mira.arn})), by, Policy=policy
        ).code
        == code
    )


def test_managed_session_policies_must_exist(service: Service) -> None:
    mira, by = user(service, "managed")
    made = role(service, "Managed", trusting({"AWS": mira.arn}))
    for arn in (f"arn:aws:iam::{ACCOUNT}:policy/none", f"arn:aws:iam::{OTHER}:policy/none", "x" * 20):
        refusal = denied(service, made, by, PolicyArns=[{"arn": arn}])
        assert refusal == Refusal("ValidationError", f"ARN {arn} does not exist or is not attachable.")


def test_what_a_role_may_do_changes_at_once(service: Service) -> None:
    mira, by = user(service, "changing")
    made = role(service, "Changing", trusting({"AWS": mira.arn}), policy=document(allow("kms:ListKeys")))
    session = credentials(assume(service, made, by))
    service.ok("ListKeys", by=session)
    with service.database.write() as tx:
        inline_policies.put(tx, made, "p", document(allow("kms:ListAliases")))
    assert service.refused("ListKeys", by=session).code == "AccessDeniedException"
    service.ok("ListAliases", by=session)
    with service.database.write() as tx:
        identities.remove(tx, made)
    assert service.refused("ListAliases", by=session).code == "UnrecognizedClientException"


def test_tags_of_a_chain(service: Service) -> None:
    mira, by = user(service, "chain")
    first = role(
        service,
        "First",
        trusting({"AWS": mira.arn}, *PASSING),
        policy=document(allow("sts:*")),
        tags={"Team": "role"},
    )
    second = role(service, "Second", trusting({"AWS": first.arn}, *PASSING))
    tags = [{"Key": "team", "Value": "red"}, {"Key": "stays", "Value": "x"}]
    one = credentials(
        assume(service, first, by, Tags=tags, TransitiveTagKeys=["TEAM"], SourceIdentity="Mira")
    )
    again = denied(service, second, one, Tags=[{"Key": "TEAM", "Value": "blue"}])
    assert again == Refusal("ValidationError", "A tag that is inherited cannot be passed again.")
    assert denied(service, second, one, SourceIdentity="Nora").code == "AccessDenied"
    assert denied(service, second, one, DurationSeconds=3_601).text == (
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    )
    told = assume(service, second, one, Tags=[{"Key": "own", "Value": "y"}])
    assert told["SourceIdentity"] == "Mira"
    identity = service._worker.pipeline._services.keyring.session(
        told["Credentials"]["AccessKeyId"], told["Credentials"]["SessionToken"], may_block=True
    )
    assert identity.principal.tags == {"team": "red", "own": "y"}
    assert identity.principal.session is not None
    assert identity.principal.session.transitive == {"team": "red"}


@pytest.mark.parametrize(
    "members",
    [
        {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
        {"Tags": [{"Key": "aws:a", "Value": "1"}]},
        {"Tags": [{"Key": "a*", "Value": "1"}]},
        {"Tags": [{"Key": str(number), "Value": "1"} for number in range(51)]},
        {"TransitiveTagKeys": ["a"]},
        {"RoleSessionName": "a b"},
        {"SourceIdentity": "a"},
        {"ProvidedContexts": [{"ProviderArn": "x" * 20, "ContextAssertion": "x" * 4}]},
    ],
    ids=lambda members: next(iter(members)),
)
def test_what_is_invalid(service: Service, members: dict[str, Any]) -> None:
    made = role(
        service, f"Invalid{len(json.dumps(members))}{next(iter(members))}", trusting(ANYBODY, *PASSING)
    )
    _, by = user(service, f"Invalid{len(json.dumps(members))}{next(iter(members))}")
    asked = {"RoleArn": made.arn, "RoleSessionName": "s-1"} | members
    assert refused(service, "sts", "AssumeRole", by=by, **asked).code == "ValidationError"


def test_nobody_has_a_device(service: Service) -> None:
    mira, by = user(service, "device")
    made = role(service, "Device", trusting({"AWS": mira.arn}))
    assert denied(service, made, by, SerialNumber="123456789", TokenCode="123456").code == "AccessDenied"


def test_tags_and_policies_have_room_for_so_much(service: Service) -> None:
    mira, by = user(service, "room")
    made = role(service, "Room", trusting({"AWS": mira.arn}, *PASSING))
    tags = [{"Key": f"{n:0128x}", "Value": f"{n * 7919:0256x}"} for n in range(50)]
    told = assume(service, made, by, Tags=tags)
    assert 1 <= told["PackedPolicySize"] <= 100
    ok(service, "sts", "GetCallerIdentity", by=credentials(told))
    letters = Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=12_800)
    noise = [{"Key": f"k{n}", "Value": "".join(letters[n * 256 : n * 256 + 256])} for n in range(50)]
    assert denied(service, made, by, Tags=noise).code == "PackedPolicyTooLarge"


def test_a_long_token_on_demand(service: Service) -> None:
    mira, by = user(service, "longtoken")
    told = assume(
        service, role(service, "LongToken", trusting({"AWS": mira.arn})), by, MinimumSessionTokenSize=4_096
    )
    assert told["SessionTokenSize"] >= 4_096
    ok(service, "sts", "GetCallerIdentity", by=credentials(told))


def test_what_a_roles_session_cannot_ask_for(service: Service) -> None:
    mira, by = user(service, "iamuser")
    session = credentials(assume(service, role(service, "ForIam", trusting({"AWS": mira.arn})), by))
    asked: dict[str, dict[str, Any]] = {"GetSessionToken": {}, "GetFederationToken": {"Name": "bob"}}
    for operation, members in asked.items():
        refusal = call(service, "sts", operation, by=session, **members)
        assert refusal == Refusal("AccessDenied", f"Cannot call {operation} with session credentials")


def test_the_record_of_a_stranger_does_not_tell_whether_there_is_such_a_role(service: Service) -> None:
    _, by = user(service, "prying", allow("sts:AssumeRole"))
    made = role(service, "Hidden", trusting({"AWS": OTHER}), account=OTHER)
    for arn in (made.arn, f"{made.arn}-not"):
        refused(service, "sts", "AssumeRole", by=by, RoleArn=arn, RoleSessionName="s-1")
        record = records(service)[0]
        assert record["requestParameters"]["roleArn"] == arn
        assert "resources" not in record


def test_the_account_of_the_role_is_a_condition_key(service: Service) -> None:
    perimeter = {"Condition": {"StringNotEquals": {"aws:ResourceAccount": ACCOUNT}}}
    mira, by = user(service, "inside", allow("sts:AssumeRole"), allow("*", effect="Deny") | perimeter)
    assume(service, role(service, "Near", trusting({"AWS": mira.arn})), by)
    assert (
        denied(service, role(service, "Far", trusting({"AWS": mira.arn}), account=OTHER), by).code
        == "AccessDenied"
    )
