"""The policy simulator: its answers, and that they are what live calls get."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kms_server.iam.policy import compile_identity_policy
from kms_server.operations.iam import simulate
from kms_server.storage import attachments, identities, identity_tags, managed_policies, memberships
from kms_server.storage.identities import Identity, Kind
from kms_server.storage.managed_policies import ManagedPolicy
from tests.unit.operations.query_service import Iam, allow, document, role, user
from tests.unit.operations.service import ACCOUNT, Refusal, Service

KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
AWAY = "222222222222"
ENCRYPT = ["kms:Encrypt"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def iam(service: Service) -> Iam:
    return Iam(service)


@pytest.fixture(scope="module")
def mira(service: Service) -> Identity:
    return user(service, "mira", allow("kms:Encrypt"), allow("kms:Sign", effect="Deny"))[0]


def custom(iam: Iam, *documents: str, actions: list[str] = ENCRYPT, **members: Any) -> dict[str, Any]:
    """The one result of SimulateCustomPolicy."""
    told = iam.ok("SimulateCustomPolicy", PolicyInputList=list(documents), ActionNames=actions, **members)
    (result,) = told["EvaluationResults"]
    assert told["IsTruncated"] is False
    return dict(result)


def entry(name: str, kind: str, *values: str) -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": list(values)}


def test_positions_are_as_aws_shows_them(iam: Iam) -> None:
    """The example of `aws iam simulate-custom-policy help`, and one whose statements are a list."""
    text = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":'
        '{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
    )
    date = entry("aws:CurrentTime", "date", "2019-04-25T11:00:00Z")
    found = custom(iam, text, actions=["dynamodb:CreateBackup"], ContextEntries=[date])
    assert found == {
        "EvalActionName": "dynamodb:CreateBackup", "EvalResourceName": "*", "EvalDecision": "allowed",
        "MatchedStatements": [{
            "SourcePolicyId": "PolicyInputList.1", "SourcePolicyType": "none",
            "StartPosition": {"Line": 1, "Column": 38}, "EndPosition": {"Line": 1, "Column": 167},
        }],
        "MissingContextValues": [],
    }  # fmt: skip
    admin = json.dumps({"Version": "2012-10-17", "Statement": [allow("*")]}, indent=2).replace(
        '[\n        "*"\n      ]', '"*"'
    )
    (statement,) = custom(iam, admin)["MatchedStatements"]
    assert statement["StartPosition"] == {"Line": 3, "Column": 17}
    assert statement["EndPosition"] == {"Line": 8, "Column": 6}


def test_an_early_date_is_an_implicit_deny(iam: Iam) -> None:
    condition = {"DateGreaterThan": {"aws:CurrentTime": "2018-08-16T12:00:00Z"}}
    text = document(allow("kms:*", Condition=condition))
    early = entry("aws:CurrentTime", "date", "2014-04-25T11:00:00Z")
    found = custom(iam, text, ContextEntries=[early])
    assert (found["EvalDecision"], found["MatchedStatements"]) == ("implicitDeny", [])
    missing = custom(iam, text)
    assert (missing["EvalDecision"], missing["MissingContextValues"]) == ("implicitDeny", ["aws:CurrentTime"])


def test_a_deny_is_the_only_match(iam: Iam) -> None:
    found = custom(
        iam, document(allow("kms:*")), document(allow("kms:E*"), allow("kms:Encrypt", effect="Deny"))
    )
    assert found["EvalDecision"] == "explicitDeny"
    (match,) = found["MatchedStatements"]
    assert match["SourcePolicyId"] == "PolicyInputList.2"
    assert match["StartPosition"]["Column"] > 60


def test_variables_that_have_no_value_are_missing(iam: Iam) -> None:
    resource = f"arn:aws:kms:*:{ACCOUNT}:key/${{aws:PrincipalTag/key}}"
    condition = {
        "StringEquals": {"kms:ViaService": "${kms:CallerAccount}"},
        "Null": {"aws:TokenIssueTime": "true"},
    }
    found = custom(iam, document(allow("kms:*") | {"Resource": resource, "Condition": condition}))
    assert found["MissingContextValues"] == ["aws:principaltag/key", "kms:ViaService", "kms:calleraccount"]


def test_resources_one_by_one(iam: Iam) -> None:
    text = document(
        allow("kms:*") | {"Resource": KEY}, allow("kms:*", effect="Deny") | {"Resource": KEY + "3"}
    )
    found = custom(iam, text, ResourceArns=[KEY, KEY + "2", KEY + "3", KEY])
    assert found["EvalDecision"] == "explicitDeny"
    assert found["EvalResourceName"] == "arn:${Partition}:kms:${Region}:${Account}:key/${KeyId}"
    decisions = [
        (one["EvalResourceName"], one["EvalResourceDecision"], len(one["MatchedStatements"]))
        for one in found["ResourceSpecificResults"]
    ]
    assert decisions == [(KEY, "allowed", 1), (KEY + "2", "implicitDeny", 0), (KEY + "3", "explicitDeny", 1)]
    assert found["EvalDecisionDetails"] == {}
    assert len(found["MatchedStatements"]) == 1


def test_boundaries(iam: Iam) -> None:
    everything = document(allow("*"))
    for action, allowed in (("kms:Encrypt", True), ("kms:Decrypt", False)):
        found = custom(
            iam,
            everything,
            actions=[action],
            PermissionsBoundaryPolicyInputList=[document(allow("kms:Encrypt"))],
        )
        assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": allowed}
        assert found["EvalDecision"] == ("allowed" if allowed else "implicitDeny")
        assert len(found["MatchedStatements"]) == int(allowed)
    denying = document(allow("kms:Encrypt", effect="Deny"), allow("*"))
    found = custom(iam, everything, PermissionsBoundaryPolicyInputList=[denying])
    assert found["EvalDecision"] == "explicitDeny"
    assert found["MatchedStatements"][0]["SourcePolicyId"] == "PermissionsBoundaryPolicyInputList.1"
    assert "PermissionsBoundaryDecisionDetail" not in custom(iam, everything)


def test_service_control_policies(iam: Iam) -> None:
    def levels(*documents: list[str]) -> dict[str, Any]:
        return {
            "OrderedOrganizationPolicyInputList": [
                {"ServiceControlPolicyInputList": one} for one in documents
            ]
        }

    everything = document(allow("*"))
    cases = [
        (levels([everything], [everything]), "allowed", True),
        (levels([everything], [document(allow("s3:*"))]), "implicitDeny", False),
        (levels([everything, document(allow("kms:Encrypt", effect="Deny"))]), "explicitDeny", False),
    ]
    for members, decision, allowed in cases:
        found = custom(iam, everything, **members)
        assert (found["EvalDecision"], found["OrganizationsDecisionDetail"]) == (
            decision, {"AllowedByOrganizations": allowed},
        )  # fmt: skip
        assert bool(found["MatchedStatements"]) == allowed


def key_policy(principal: Any, **more: Any) -> str:
    return document(allow("kms:*") | {"Principal": {"AWS": principal}} | more)


def test_policies_of_other_resources_may_allow_by_themselves(iam: Iam, mira: Identity) -> None:
    bucket = document(
        allow("s3:GetObject") | {"Principal": {"AWS": mira.arn}, "Resource": "arn:aws:s3:::b/*"}
    )
    asked: dict[str, Any] = {
        "CallerArn": mira.arn,
        "ResourcePolicy": bucket,
        "ResourceArns": ["arn:aws:s3:::b/x"],
    }
    found = custom(iam, document(allow("s3:ListBucket")), actions=["s3:GetObject"], **asked)
    assert found["EvalDecision"] == "allowed"
    assert found["MatchedStatements"][0]["SourcePolicyType"] == "resource"
    own = document(allow("s3:*"))
    elsewhere = {**asked, "ResourcePolicy": key_policy(AWAY)}
    assert custom(iam, own, actions=["s3:GetObject"], **elsewhere)["EvalDecision"] == "allowed"
    foreign = custom(
        iam, own, actions=["s3:GetObject"], **elsewhere, ResourceOwner=f"arn:aws:iam::{AWAY}:root"
    )
    assert foreign["EvalDecision"] == "implicitDeny"
    assert foreign["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "implicitDeny"}


def test_identity_policies_about_buckets(iam: Iam) -> None:
    own = document(
        allow("s3:*") | {"Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/home/*"]},
        allow("s3:Put*", effect="Deny") | {"Resource": "arn:aws:s3:::b/home/secret"},
    )
    told = {
        ("s3:GetObject", "arn:aws:s3:::b/home/x"): "allowed",
        ("s3:GetObject", "arn:aws:s3:::b/other"): "implicitDeny",
        ("s3:PutObject", "arn:aws:s3:::b/home/secret"): "explicitDeny",
        ("s3:ListBucket", "arn:aws:s3:::b"): "allowed",
        ("s3:ListAllMyBuckets", "*"): "implicitDeny",
    }
    for (action, arn), decision in told.items():
        assert custom(iam, own, actions=[action], ResourceArns=[arn])["EvalDecision"] == decision
    bucket = "arn:${Partition}:s3:::${BucketName}"
    forms = {"s3:GetObject": bucket + "/${ObjectName}", "s3:ListBucket": bucket, "s3:ListAllMyBuckets": "*"}
    for action, form in forms.items():
        found = custom(iam, own, actions=[action], ResourceArns=["arn:aws:s3:::b/home/x"])
        assert found["EvalResourceName"] == form


def test_actions_on_quotas(iam: Iam) -> None:
    arn = f"arn:aws:servicequotas:us-east-1:{ACCOUNT}:kms/L-32B67F4A"
    own = document({"Effect": "Allow", "Action": "servicequotas:*", "Resource": arn})
    form = "arn:${Partition}:servicequotas:${Region}:${Account}:${ServiceCode}/${QuotaCode}"
    for action, shown in (
        ("servicequotas:RequestServiceQuotaIncrease", form),
        ("servicequotas:ListServices", "*"),
    ):
        found = custom(iam, own, actions=[action], ResourceArns=[arn])
        assert (found["EvalDecision"], found["EvalResourceName"]) == ("allowed", shown)


def test_attached_policies_are_named(service: Service, iam: Iam) -> None:
    one, _ = user(service, "ines", allow("kms:Encrypt"))
    with service.database.write() as tx:
        crew = Identity(identities.new_unique_id(Kind.GROUP), ACCOUNT, Kind.GROUP, "crew", "/", 0.0)
        identities.add(tx, crew)
        memberships.add(tx, one, crew)
        arn = f"arn:aws:iam::{ACCOUNT}:policy/team/p"
        managed_policies.add(
            tx,
            ManagedPolicy(arn, ACCOUNT, "p", "/team/", "ANPAX", None, 0.0, 0.0),
            document(allow("kms:Decrypt")),
        )
        attachments.add(tx, crew, arn)

    def simulated(**members: Any) -> dict[str, tuple[str, str]]:
        told = iam.ok(
            "SimulatePrincipalPolicy",
            PolicySourceArn=one.arn,
            ActionNames=["kms:Encrypt", "kms:Decrypt"],
            **members,
        )
        return {
            found["EvalActionName"]: (match["SourcePolicyId"], match["SourcePolicyType"])
            for found in told["EvaluationResults"]
            for match in found["MatchedStatements"]
        }

    inline, managed = ("user_ines_p", "user"), ("p", "user-managed")
    assert simulated() == {"kms:Encrypt": inline, "kms:Decrypt": managed}
    for excluded, left in (
        ({"PolicyType": "inline"}, {"kms:Decrypt": managed}),
        ({"PolicyType": "user-managed"}, {"kms:Encrypt": inline}),
        ({"PolicyType": "scp"}, {"kms:Encrypt": inline, "kms:Decrypt": managed}),
        ({"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/team/?"}, {"kms:Encrypt": inline}),
        (
            {
                "InlinePolicyIdentifier": {
                    "PolicyName": "p",
                    "AttachmentType": "user",
                    "AttachmentName": "ines",
                }
            },
            {"kms:Decrypt": managed},
        ),
        (
            {
                "InlinePolicyIdentifier": {
                    "PolicyName": "p",
                    "AttachmentType": "group",
                    "AttachmentName": "ines",
                }
            },
            {"kms:Encrypt": inline, "kms:Decrypt": managed},
        ),
    ):
        assert simulated(PolicyExclusionList=[excluded]) == left, excluded
    with service.database.write() as tx:
        identities.change(tx, one, boundary=arn)
    assert simulated() == {"kms:Decrypt": managed}
    assert simulated(PolicyExclusionList=[{"PolicyType": "permission-boundary"}])["kms:Encrypt"] == inline


def test_groups_and_roles_have_policies_too(service: Service, iam: Iam) -> None:
    batch = role(service, "Batch", policy=document(allow("kms:Encrypt")))
    told = iam.ok("SimulatePrincipalPolicy", PolicySourceArn=batch.arn, ActionNames=ENCRYPT)
    assert told["EvaluationResults"][0]["MatchedStatements"][0]["SourcePolicyId"] == "role_Batch_p"
    refusal = iam.refused(
        "SimulatePrincipalPolicy",
        PolicySourceArn=batch.arn,
        ActionNames=ENCRYPT,
        ResourcePolicy=key_policy("*"),
    )
    assert refusal.code == "InvalidInput"


def test_pages(iam: Iam) -> None:
    actions = [f"kms:A{number}" for number in range(7)]
    asked: dict[str, Any] = {"PolicyInputList": [document(allow("*"))], "ActionNames": actions, "MaxItems": 3}
    seen: list[str] = []
    marker: dict[str, Any] = {}
    for size in (3, 3, 1):
        told = iam.ok("SimulateCustomPolicy", **asked, **marker)
        assert len(told["EvaluationResults"]) == size
        seen += [one["EvalActionName"] for one in told["EvaluationResults"]]
        assert told["IsTruncated"] == (len(seen) < 7)
        marker = {"Marker": told.get("Marker", "")}
    assert seen == actions
    assert iam.refused("SimulateCustomPolicy", **asked, Marker="x").code == "ValidationError"


def test_a_page_has_no_more_than_can_be_evaluated(iam: Iam, monkeypatch: pytest.MonkeyPatch) -> None:
    # A tenth, to be quick; the next test holds to what it is.
    monkeypatch.setattr(simulate, "_MOST_STATEMENTS", 10_000)
    asked: dict[str, Any] = {
        "ActionNames": [f"kms:A{number}" for number in range(20)],
        "ResourceArns": [f"{KEY[:-3]}{number}" for number in range(20)],
    }
    told = iam.ok("SimulateCustomPolicy", PolicyInputList=[document(*[allow("*")] * 50)], **asked)
    assert (len(told["EvaluationResults"]), told["IsTruncated"]) == (10, True)
    refusal = iam.refused("SimulateCustomPolicy", PolicyInputList=[document(*[allow("*")] * 80)] * 7, **asked)
    assert refusal == Refusal(
        "InvalidInput", "There are 560 statements and 20 resources: ask about fewer at once."
    )


def test_many_values_make_a_page_shorter(iam: Iam) -> None:
    condition = {"ForAnyValue:StringLike": {"aws:TagKeys": [f"a{number}*" for number in range(100)]}}
    asked: dict[str, Any] = {
        "PolicyInputList": [document(allow("kms:*", Condition=condition))],
        "ActionNames": [f"kms:A{number}" for number in range(40)],
        "ContextEntries": [entry("aws:TagKeys", "stringList", *(f"b{number}" for number in range(500)))],
    }
    told = iam.ok("SimulateCustomPolicy", **asked)
    assert (len(told["EvaluationResults"]), told["IsTruncated"]) == (19, True)
    refusal = iam.refused("SimulateCustomPolicy", **asked, ResourceArns=[f"{KEY[:-2]}{n}" for n in range(30)])
    assert refusal.code == "InvalidInput"


REFUSED = [
    ({"ActionNames": ["kms:*"]}, "InvalidInput"),
    ({"ActionNames": ["Encrypt"]}, "InvalidInput"),
    ({"ActionNames": ["x"]}, "ValidationError"),
    ({"PolicyInputList": ["{}"]}, "InvalidInput"),
    ({"PolicyInputList": [document(allow("*"), allow("*") | {"Principal": "*"})]}, "InvalidInput"),
    ({"ResourcePolicy": document(allow("*")), "CallerArn": f"arn:aws:iam::{ACCOUNT}:user/u"}, "InvalidInput"),
    ({"ResourcePolicy": key_policy("*")}, "InvalidInput"),
    ({"CallerArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"}, "InvalidInput"),
    ({"CallerArn": f"arn:aws:iam::{ACCOUNT}:root"}, "InvalidInput"),
    ({"ResourceOwner": "me"}, "InvalidInput"),
    ({"ResourceArns": ["key"]}, "InvalidInput"),
    ({"ResourceHandlingOption": "none"}, "InvalidInput"),
    ({"PermissionsBoundaryPolicyInputList": [document(allow("*"))] * 2}, "InvalidInput"),
    ({"ContextEntries": [entry("aws:username", "string", "a", "b")]}, "InvalidInput"),
    ({"ContextEntries": [entry("aws:EpochTime", "numeric", "x")]}, "InvalidInput"),
    ({"ContextEntries": [entry("aws:EpochTime", "numericList", "1", "x")]}, "InvalidInput"),
    ({"ContextEntries": [entry("aws:SecureTransport", "boolean", "yes")]}, "InvalidInput"),
    ({"ContextEntries": [entry("aws:SourceIp", "ip", "300.1.1.1")]}, "InvalidInput"),
    ({"ContextEntries": [entry("aws:CurrentTime", "date", "soon")]}, "InvalidInput"),
    ({"ContextEntries": [entry("kms:Blob", "binary", "?")]}, "InvalidInput"),
    ({"ContextEntries": [entry("aws:Username", "string", "a"), entry("aws:username", "string", "a")]}, "InvalidInput"),
    ({"ContextEntries": [{"ContextKeyName": "aws:username"}]}, "InvalidInput"),
    ({"ContextEntries": [entry("aws:username", "text", "a")]}, "ValidationError"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "code"), REFUSED)
def test_what_cannot_be_simulated(iam: Iam, members: dict[str, Any], code: str) -> None:
    asked: dict[str, Any] = {"PolicyInputList": [document(allow("*"))], "ActionNames": ENCRYPT} | members
    assert iam.refused("SimulateCustomPolicy", **asked).code == code


SOURCES = [
    (f"arn:aws:iam::{ACCOUNT}:root", "InvalidInput"),
    (f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", "InvalidInput"),
    ("arn:aws:iam::xxxxxxxxxxxxxxxx", "InvalidInput"),
    (f"arn:aws:iam::{ACCOUNT}:user/nobody", "NoSuchEntity"),
    (f"arn:aws:iam::{ACCOUNT}:user/path/mira", "NoSuchEntity"),
    (f"arn:aws:iam::{AWAY}:user/mira", "NoSuchEntity"),
]


@pytest.mark.parametrize(("arn", "code"), SOURCES)
@pytest.mark.usefixtures("mira")
def test_whose_policies_there_are_not(iam: Iam, arn: str, code: str) -> None:
    assert iam.refused("SimulatePrincipalPolicy", PolicySourceArn=arn, ActionNames=ENCRYPT).code == code


@pytest.mark.parametrize("excluded", [{}, {"PolicyType": "scp", "PolicyArn": KEY}, {"PolicyArn": "arn:aws:iam::*:policy/x"}])  # fmt: skip
def test_exclusions_that_say_nothing(iam: Iam, mira: Identity, excluded: dict[str, Any]) -> None:
    if not excluded:
        excluded = {"PolicyArn": "arn:aws:iam::1:policy/**"}
    asked: dict[str, Any] = {
        "PolicySourceArn": mira.arn,
        "ActionNames": ENCRYPT,
        "PolicyExclusionList": [excluded],
    }
    assert iam.refused("SimulatePrincipalPolicy", **asked).code == "InvalidInput"


def test_who_may_simulate(service: Service, iam: Iam, mira: Identity) -> None:
    _, nobody = user(service, "nobody1", allow("kms:*"))
    _, one = user(service, "one", allow("iam:SimulatePrincipalPolicy") | {"Resource": mira.arn})
    _, other = user(service, "other", allow("iam:SimulateCustomPolicy"))
    asked: dict[str, Any] = {"PolicySourceArn": mira.arn, "ActionNames": ENCRYPT}
    given: dict[str, Any] = {"PolicyInputList": [document(allow("*"))], "ActionNames": ENCRYPT}
    iam.ok("SimulatePrincipalPolicy", by=one, **asked)
    iam.ok("SimulateCustomPolicy", by=other, **given)
    for by in (nobody, other):
        assert iam.refused("SimulatePrincipalPolicy", by=by, **asked).code == "AccessDenied"
    for by in (nobody, one):
        assert iam.refused("SimulateCustomPolicy", by=by, **given).code == "AccessDenied"
    unknown: dict[str, Any] = asked | {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/unknown"}
    assert iam.refused("SimulatePrincipalPolicy", by=one, **unknown).code == "AccessDenied"


def test_actions_of_clients_are_not_kept(iam: Iam, mira: Identity) -> None:
    text = document(allow("kms:Encrypt"), allow("kms:Sign", effect="Deny"))
    compiled = compile_identity_policy(text)
    before = len(compiled._by_action)
    asked: dict[str, Any] = {
        "PolicySourceArn": mira.arn,
        "ActionNames": [f"kms:B{number}" for number in range(50)],
    }
    iam.ok("SimulatePrincipalPolicy", **asked)
    kept = compile_identity_policy.cache_info().currsize
    iam.ok("SimulateCustomPolicy", PolicyInputList=[document(allow("kms:NeverSeen"))], ActionNames=ENCRYPT)
    assert compile_identity_policy.cache_info().currsize == kept
    assert len(compiled._by_action) == before


# --- what the simulator says is what live calls get ------------------------------------------------

IDENTITIES = {
    "nothing": [],
    "all": [allow("kms:*")],
    "encrypts": [allow("kms:Encrypt")],
    "denied": [allow("kms:*"), allow("kms:Decrypt", effect="Deny")],
    "described": [{"Effect": "Allow", "NotAction": "kms:Encrypt", "Resource": "*"}],
    "named": [
        allow("kms:*", Condition={"StringEquals": {"aws:username": "live-${aws:PrincipalTag/none, 'named'}"}})
    ],
    "other": [allow("kms:*") | {"Resource": "arn:aws:kms:*:*:key/other"}],
}
KEY_POLICIES = ["delegates", "names", "everybody", "excepts", "denies", "other"]
ACTIONS: dict[str, dict[str, Any]] = {
    "kms:Encrypt": {"Plaintext": b"x"},
    "kms:DescribeKey": {},
    "kms:GetKeyPolicy": {},
}


def key_statements(kind: str, arn: str) -> list[dict[str, Any]]:
    admin = allow("kms:*") | {"Principal": {"AWS": ACCOUNT}}
    root = {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:root"}}
    own = admin | {"Condition": root}
    return {
        "delegates": [admin],
        "names": [own, allow("kms:Encrypt") | {"Principal": {"AWS": arn}}],
        "everybody": [own, allow("kms:Describe*", "kms:Encrypt") | {"Principal": "*"}],
        "excepts": [
            admin,
            allow("kms:Encrypt", effect="Deny") | {"NotPrincipal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]}},
        ],
        "denies": [admin, allow("kms:DescribeKey", effect="Deny") | {"Principal": {"AWS": arn}}],
        "other": [own],
    }[kind]


def test_the_simulator_says_what_live_calls_get(service: Service, iam: Iam) -> None:
    seen = set()
    for name, statements in IDENTITIES.items():
        one, credentials = user(service, f"live-{name}", *statements)
        for kind in KEY_POLICIES:
            policy = document(*key_statements(kind, one.arn))
            key = service.key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)
            told = iam.ok(
                "SimulatePrincipalPolicy", PolicySourceArn=one.arn, ActionNames=list(ACTIONS), ResourcePolicy=policy,
                ResourceArns=[key["Arn"]],
            )  # fmt: skip
            for result in told["EvaluationResults"]:
                action = result["EvalActionName"]
                live = service.call(
                    action.partition(":")[2], by=credentials, KeyId=key["KeyId"], **ACTIONS[action]
                )
                allowed = not isinstance(live, Refusal)
                assert (result["EvalDecision"] == "allowed") == allowed, (name, kind, action, live)
                if isinstance(live, Refusal):
                    assert ("explicit deny" in live.text) == (result["EvalDecision"] == "explicitDeny")
                seen.add(result["EvalDecision"])
    assert seen == {"allowed", "explicitDeny", "implicitDeny"}


def test_the_policy_of_a_key_counts_only_where_it_is_given(service: Service, iam: Iam) -> None:
    one, credentials = user(service, "unnamed", allow("kms:*"))
    nobodys = [
        allow("kms:*") | {"Principal": {"AWS": ACCOUNT}, "Condition": {"StringEquals": {"aws:username": "x"}}}
    ]
    key = service.key(Policy=document(*nobodys), BypassPolicyLockoutSafetyCheck=True)
    assert isinstance(service.call("Encrypt", by=credentials, KeyId=key["KeyId"], Plaintext=b"x"), Refusal)
    told = iam.ok(
        "SimulatePrincipalPolicy", PolicySourceArn=one.arn, ActionNames=ENCRYPT, ResourceArns=[key["Arn"]]
    )
    assert told["EvaluationResults"][0]["EvalDecision"] == "allowed"


def test_of_another_accounts_users_nothing_is_told(service: Service, iam: Iam) -> None:
    stranger = user(service, "stranger", account=AWAY)[0]
    with service.database.write() as tx:
        owner = identity_tags.Owner(AWAY, stranger.unique_id, ignores_case=True)
        identity_tags.put(tx, owner, {"team": "red"})
    for condition in ({"aws:PrincipalTag/team": "r*"}, {"aws:userid": "AIDA*"}):
        policy = document(allow("kms:Encrypt", Condition={"StringLike": condition}))
        assert custom(iam, policy, CallerArn=stranger.arn)["EvalDecision"] == "implicitDeny"
