"""Inline and managed policies, attachments, boundaries, tags and issuers over IAM's API, and who may call it."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.credentials import Credentials

from tests.unit.operations.query_service import Iam, allow, document, user
from tests.unit.operations.service import ACCOUNT, Refusal, Service
from tests.unit.operations.test_iam_identities import allowing, credentials, trusting

AWS = "arn:aws:iam::aws:policy/"
OWN = f"arn:aws:iam::{ACCOUNT}:policy/"
FAMILIES = [("User", 2048), ("Role", 10_240), ("Group", 5120)]


@pytest.fixture(scope="module")
def iam(service: Service) -> Iam:
    return Iam(service)


def made(iam: Iam, title: str, name: str) -> dict[str, Any]:
    """The member that names a new user, role or group."""
    owner: dict[str, Any] = {f"{title}Name": name}
    trust = {"AssumeRolePolicyDocument": trusting({"AWS": ACCOUNT})} if title == "Role" else {}
    iam.ok(f"Create{title}", **owner | trust)
    return owner


def signing(iam: Iam, name: str, *policies: str) -> Credentials:
    """The credentials of a new user with inline policies."""
    iam.ok("CreateUser", UserName=name)
    for number, policy in enumerate(policies):
        iam.ok("PutUserPolicy", UserName=name, PolicyName=f"p{number}", PolicyDocument=policy)
    return credentials(iam.ok("CreateAccessKey", UserName=name)["AccessKey"])


@pytest.mark.parametrize(("title", "most"), FAMILIES)
def test_inline_policies_come_back_as_they_were_put(iam: Iam, title: str, most: int) -> None:
    owner = made(iam, title, f"inline-{title}")
    document = ' {"Version":"2012-10-17", "Statement": {"Effect":"Allow","Action":"kms:*","Resource":"*","Sid":"ÿ+ %"}}\n'
    named = {**owner, "PolicyName": "p+=,.@-"}
    iam.ok(f"Put{title}Policy", **named, PolicyDocument=document)
    found = iam.ok(f"Get{title}Policy", **named)
    assert found == {**named, "PolicyDocument": found["PolicyDocument"]}
    assert unquote(found["PolicyDocument"]) == document
    assert set('{} "+/').isdisjoint(found["PolicyDocument"])
    iam.ok(f"Put{title}Policy", **owner, PolicyName="a", PolicyDocument=allowing("kms:*"))
    assert iam.ok(f"List{title}Policies", **owner)["PolicyNames"] == ["a", "p+=,.@-"]
    iam.ok(f"Put{title}Policy", **named, PolicyDocument=allowing("kms:*"))
    assert unquote(iam.ok(f"Get{title}Policy", **named)["PolicyDocument"]) == allowing("kms:*")
    iam.ok(f"Delete{title}Policy", **named)
    missing = Refusal("NoSuchEntity", f"The {title.lower()} policy with name p+=,.@- cannot be found.")
    assert (
        iam.refused(f"Delete{title}Policy", **named) == iam.refused(f"Get{title}Policy", **named) == missing
    )


@pytest.mark.parametrize(("title", "most"), FAMILIES)
def test_inline_policies_together_have_a_size(iam: Iam, title: str, most: int) -> None:
    owner = made(iam, title, f"large-{title}")

    def of(size: int) -> str:
        empty = allowing("kms:*", Sid="")
        return allowing("kms:*", Sid="x" * (size - len("".join(empty.split())))) + " " * 50

    half = most // 2
    iam.ok(f"Put{title}Policy", **owner, PolicyName="a", PolicyDocument=of(half))
    iam.ok(f"Put{title}Policy", **owner, PolicyName="b", PolicyDocument=of(most - half))
    refusal = iam.refused(f"Put{title}Policy", **owner, PolicyName="b", PolicyDocument=of(most - half + 1))
    assert refusal == Refusal(
        "LimitExceeded", f"Maximum policy size of {most} bytes exceeded for {title.lower()} large-{title}"
    )


@pytest.mark.parametrize(
    "document", ["x", "{}", '{"Statement":[]}', allowing("kms:*", Principal="*"), allowing("kms")]
)
def test_what_is_no_policy_is_refused(iam: Iam, document: str) -> None:
    made(iam, "User", name := f"malformed-{len(document)}")
    attempts: list[tuple[str, dict[str, Any]]] = [
        ("PutUserPolicy", {"UserName": name, "PolicyName": "p"}),
        ("CreatePolicy", {"PolicyName": "malformed"}),
    ]
    for operation, members in attempts:
        assert iam.refused(operation, PolicyDocument=document, **members).code == "MalformedPolicyDocument"


@pytest.mark.parametrize("title", ["User", "Role", "Group"])
def test_managed_policies_are_attached_and_detached(iam: Iam, title: str) -> None:
    owner = made(iam, title, f"attached-{title}")
    own = iam.ok("CreatePolicy", PolicyName=f"own-{title}", Path="/x/", PolicyDocument=allowing("kms:*"))[
        "Policy"
    ]["Arn"]
    for arn in (own, f"{AWS}ReadOnlyAccess", own):
        iam.ok(f"Attach{title}Policy", **owner, PolicyArn=arn)
    listed = iam.ok(f"ListAttached{title}Policies", **owner)["AttachedPolicies"]
    assert listed == [
        {"PolicyName": f"own-{title}", "PolicyArn": own},
        {"PolicyName": "ReadOnlyAccess", "PolicyArn": f"{AWS}ReadOnlyAccess"},
    ]
    assert iam.ok(f"ListAttached{title}Policies", **owner, PathPrefix="/x/")["AttachedPolicies"] == listed[:1]
    entities = iam.ok("ListEntitiesForPolicy", PolicyArn=own)
    assert [one[f"{title}Name"] for one in entities[f"Policy{title}s"]] == [f"attached-{title}"]
    assert iam.ok("GetPolicy", PolicyArn=own)["Policy"]["AttachmentCount"] == 1
    assert iam.refused("DeletePolicy", PolicyArn=own) == Refusal(
        "DeleteConflict", "Cannot delete a policy attached to entities."
    )
    iam.ok(f"Detach{title}Policy", **owner, PolicyArn=own)
    assert iam.refused(f"Detach{title}Policy", **owner, PolicyArn=own) == Refusal(
        "NoSuchEntity", f"Policy {own} was not found."
    )
    iam.ok("DeletePolicy", PolicyArn=own)
    assert iam.refused(f"Attach{title}Policy", **owner, PolicyArn=own) == Refusal(
        "NoSuchEntity", f"Policy {own} does not exist or is not attachable."
    )
    assert iam.refused(f"Attach{title}Policy", **owner, PolicyArn="x" * 20).code == "InvalidInput"


def test_ten_policies_are_attached_at_most(iam: Iam) -> None:
    owner = made(iam, "User", "collector")
    for number in range(11):
        iam.ok("CreatePolicy", PolicyName=f"many-{number}", PolicyDocument=allowing("kms:*"))
    for number in range(10):
        iam.ok("AttachUserPolicy", **owner, PolicyArn=f"{OWN}many-{number}")
    iam.ok("AttachUserPolicy", **owner, PolicyArn=f"{OWN}many-0")
    assert iam.refused("AttachUserPolicy", **owner, PolicyArn=f"{OWN}many-10") == Refusal(
        "LimitExceeded", "Cannot exceed quota for PoliciesPerUser: 10"
    )


def test_a_managed_policy_comes_back_as_it_was_made(iam: Iam) -> None:
    document = allowing("kms:*") + "\n"
    created = iam.ok(
        "CreatePolicy", PolicyName="kept", Path="/a/b/", PolicyDocument=document, Description="d Ω",
        Tags=[{"Key": "a", "Value": "b"}],
    )["Policy"]  # fmt: skip
    found = iam.ok("GetPolicy", PolicyArn=created["Arn"])["Policy"]
    assert found == created | {"Description": "d Ω"}
    assert (found["Arn"], found["DefaultVersionId"]) == (f"{OWN}a/b/kept", "v1")
    version = iam.ok("GetPolicyVersion", PolicyArn=found["Arn"], VersionId="v1")["PolicyVersion"]
    assert (unquote(version["Document"]), version["IsDefaultVersion"]) == (document, True)
    assert iam.refused("CreatePolicy", PolicyName="KEPT", PolicyDocument=document) == Refusal(
        "EntityAlreadyExists", "A policy called KEPT already exists. Duplicate names are not allowed."
    )
    large = allowing("kms:*", Sid="x" * 6144)
    assert iam.refused("CreatePolicy", PolicyName="large", PolicyDocument=large) == Refusal(
        "LimitExceeded", "Cannot exceed quota for PolicySize: 6144"
    )


def test_the_default_version_is_the_one_that_counts(iam: Iam, service: Service) -> None:
    by = signing(iam, "versioned")
    arn = iam.ok("CreatePolicy", PolicyName="versions", PolicyDocument=allowing("kms:ListKeys"))["Policy"][
        "Arn"
    ]
    iam.ok("AttachUserPolicy", UserName="versioned", PolicyArn=arn)
    service.ok("ListKeys", by=by)
    second = iam.ok("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=allowing("kms:ListAliases"))[
        "PolicyVersion"
    ]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    service.ok("ListKeys", by=by)
    iam.ok("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v2")
    assert service.refused("ListKeys", by=by).code == "AccessDeniedException"
    service.ok("ListAliases", by=by)
    assert iam.refused("DeletePolicyVersion", PolicyArn=arn, VersionId="v2") == Refusal(
        "DeleteConflict", "Cannot delete the default version of a policy."
    )
    third = iam.ok("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=allowing("kms:*"), SetAsDefault=True)
    assert third["PolicyVersion"]["IsDefaultVersion"]
    service.ok("ListKeys", by=by)
    iam.ok("DeletePolicyVersion", PolicyArn=arn, VersionId="v1")
    versions = iam.ok("ListPolicyVersions", PolicyArn=arn)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in versions] == [("v3", True), ("v2", False)]
    for _ in range(3):
        last = iam.ok("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=allowing("kms:*"))
    assert last["PolicyVersion"]["VersionId"] == "v6"
    refusal = iam.refused("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=allowing("kms:*"))
    assert refusal.code == "LimitExceeded"
    assert refusal.text.startswith("A managed policy can have up to 5 versions.")
    iam.ok("DetachUserPolicy", UserName="versioned", PolicyArn=arn)
    assert "more than one version" in iam.refused("DeletePolicy", PolicyArn=arn).text
    assert iam.refused("GetPolicyVersion", PolicyArn=arn, VersionId="v1").code == "NoSuchEntity"


def test_policies_of_aws_are_everywhere_and_nobodys_to_change(iam: Iam, service: Service) -> None:
    names = {"AdministratorAccess", "AWSKeyManagementServicePowerUser", "ReadOnlyAccess"}
    assert {one["PolicyName"] for one in iam.ok("ListPolicies", Scope="AWS")["Policies"]} == names
    assert names.isdisjoint(one["PolicyName"] for one in iam.ok("ListPolicies", Scope="Local")["Policies"])
    assert names <= {one["PolicyName"] for one in iam.ok("ListPolicies", MaxItems=1000)["Policies"]}
    arn = f"{AWS}AdministratorAccess"
    for operation, more in (
        ("CreatePolicyVersion", {"PolicyDocument": allowing("kms:*")}), ("DeletePolicy", {}),
        ("SetDefaultPolicyVersion", {"VersionId": "v1"}), ("TagPolicy", {"Tags": [{"Key": "a", "Value": "b"}]}),
    ):  # fmt: skip
        assert iam.refused(operation, PolicyArn=arn, **more) == Refusal(
            "AccessDenied", "Policy is outside your own account."
        )
    by = signing(iam, "power")
    iam.ok("AttachUserPolicy", UserName="power", PolicyArn=f"{AWS}AWSKeyManagementServicePowerUser")
    service.ok("CreateKey", by=by)
    iam.ok("ListUsers", by=by, MaxItems=1)
    assert iam.refused("CreateUser", by=by, UserName="x").code == "AccessDenied"


def test_another_accounts_policies_are_not_there(iam: Iam, service: Service) -> None:
    other = service.account("777777777777")
    arn = iam.ok("CreatePolicy", PolicyName="private", PolicyDocument=allowing("kms:*"))["Policy"]["Arn"]
    assert iam.refused("GetPolicy", by=other, PolicyArn=arn).code == "NoSuchEntity"
    iam.ok("CreateUser", by=other, UserName="foreign")
    for operation in ("AttachUserPolicy", "DetachUserPolicy"):
        assert iam.refused(operation, by=other, UserName="foreign", PolicyArn=arn).code == "NoSuchEntity"
    refusal = iam.refused("PutUserPermissionsBoundary", by=other, UserName="foreign", PermissionsBoundary=arn)
    assert refusal == Refusal("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.")
    assert iam.refused("GetUser", UserName="foreign").code == "NoSuchEntity"


def test_used_policies_are_listed_by_their_use(iam: Iam) -> None:
    made(iam, "User", "uses")
    arns = {}
    for name in ("as-permission", "as-boundary", "unused"):
        arns[name] = iam.ok("CreatePolicy", PolicyName=name, Path="/use/", PolicyDocument=allowing("kms:*"))[
            "Policy"
        ]["Arn"]
    iam.ok("AttachUserPolicy", UserName="uses", PolicyArn=arns["as-permission"])
    iam.ok("PutUserPermissionsBoundary", UserName="uses", PermissionsBoundary=arns["as-boundary"])

    def names(**more: Any) -> list[str]:
        return [one["PolicyName"] for one in iam.ok("ListPolicies", PathPrefix="/use/", **more)["Policies"]]

    assert names() == ["as-boundary", "as-permission", "unused"]
    assert names(OnlyAttached=True) == ["as-boundary", "as-permission"]
    assert names(PolicyUsageFilter="PermissionsBoundary") == ["as-boundary"]
    assert names(PolicyUsageFilter="PermissionsPolicy") == ["as-permission"]
    assert iam.refused("DeletePolicy", PolicyArn=arns["as-boundary"]).code == "DeleteConflict"
    holders = iam.ok("ListEntitiesForPolicy", PolicyArn=arns["as-boundary"])
    assert [one["UserName"] for one in holders["PolicyUsers"]] == ["uses"]
    filtered = iam.ok(
        "ListEntitiesForPolicy", PolicyArn=arns["as-boundary"], PolicyUsageFilter="PermissionsPolicy"
    )
    assert filtered["PolicyUsers"] == []
    assert (
        iam.ok("ListEntitiesForPolicy", PolicyArn=arns["as-boundary"], EntityFilter="Role")["PolicyUsers"]
        == []
    )


@pytest.mark.parametrize("title", ["User", "Role"])
def test_a_boundary_is_set_and_removed(iam: Iam, title: str) -> None:
    owner = made(iam, title, f"bounded-{title}")
    arn = f"{AWS}ReadOnlyAccess"
    iam.ok(f"Put{title}PermissionsBoundary", **owner, PermissionsBoundary=arn)
    assert iam.ok(f"Get{title}", **owner)[title]["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": arn,
    }
    refusal = iam.refused(f"Put{title}PermissionsBoundary", **owner, PermissionsBoundary="x" * 20)
    assert refusal.code == "InvalidInput"
    iam.ok(f"Delete{title}PermissionsBoundary", **owner)
    assert "PermissionsBoundary" not in iam.ok(f"Get{title}", **owner)[title]


def test_a_boundary_limits_at_once(iam: Iam, service: Service) -> None:
    by = signing(iam, "limited", allowing("kms:*"))
    service.ok("CreateKey", by=by)
    iam.ok("PutUserPermissionsBoundary", UserName="limited", PermissionsBoundary=f"{AWS}ReadOnlyAccess")
    assert "no permissions boundary allows" in service.refused("CreateKey", by=by).text
    service.ok("ListKeys", by=by)


TAGGABLE = [
    ("User", lambda iam, name: made(iam, "User", name)),
    ("Role", lambda iam, name: made(iam, "Role", name)),
    ("Policy", lambda iam, name: {"PolicyArn": iam.ok("CreatePolicy", PolicyName=name, PolicyDocument=allowing("a:b"))["Policy"]["Arn"]}),
    ("OpenIDConnectProvider", lambda iam, name: iam.ok("CreateOpenIDConnectProvider", Url=f"https://{name}.example")),
]  # fmt: skip


@pytest.mark.parametrize(("title", "make"), TAGGABLE)
def test_tags(iam: Iam, title: str, make: Any) -> None:
    owner = make(iam, f"tagged-{title}")
    first = [{"Key": "b", "Value": "1"}, {"Key": "a", "Value": ""}]
    iam.ok(f"Tag{title}", **owner, Tags=first)
    assert iam.ok(f"List{title}Tags", **owner) == {"Tags": first, "IsTruncated": False}
    iam.ok(f"Tag{title}", **owner, Tags=[{"Key": "B", "Value": "2"}])
    folds = title in ("User", "Role")
    keys = [tag["Key"] for tag in iam.ok(f"List{title}Tags", **owner)["Tags"]]
    assert keys == (["B", "a"] if folds else ["b", "a", "B"])
    page = iam.ok(f"List{title}Tags", **owner, MaxItems=1)
    assert iam.ok(f"List{title}Tags", **owner, MaxItems=1, Marker=page["Marker"])["Tags"][0]["Key"] == "a"
    iam.ok(f"Untag{title}", **owner, TagKeys=["B", "b", "none"])
    assert [tag["Key"] for tag in iam.ok(f"List{title}Tags", **owner)["Tags"]] == ["a"]
    for wrong, code in (
        ([{"Key": "x", "Value": "1"}] * 2, "InvalidInput"),
        ([{"Key": "AWS:x", "Value": "1"}], "InvalidInput"),
        ([{"Key": str(number), "Value": ""} for number in range(50)], "LimitExceeded"),
    ):
        assert iam.refused(f"Tag{title}", **owner, Tags=wrong).code == code


def test_a_slash_at_the_end_makes_another_issuer(iam: Iam) -> None:
    for place in ("slash.example", "slash.example/"):
        arn = iam.ok("CreateOpenIDConnectProvider", Url=f"https://{place}")["OpenIDConnectProviderArn"]
        assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{place}"
        assert iam.ok("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn)["Url"] == place


def test_an_issuer_comes_back_as_it_was_made(iam: Iam) -> None:
    arn = iam.ok(
        "CreateOpenIDConnectProvider", Url="https://issuer.example/path", ClientIDList=["a"],
        ThumbprintList=["0" * 40], Tags=[{"Key": "k", "Value": "v"}],
    )["OpenIDConnectProviderArn"]  # fmt: skip
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example/path"
    named = {"OpenIDConnectProviderArn": arn}
    iam.ok("AddClientIDToOpenIDConnectProvider", **named, ClientID="b")
    iam.ok("AddClientIDToOpenIDConnectProvider", **named, ClientID="b")
    iam.ok("RemoveClientIDFromOpenIDConnectProvider", **named, ClientID="a")
    iam.ok("UpdateOpenIDConnectProviderThumbprint", **named, ThumbprintList=["f" * 40])
    found = iam.ok("GetOpenIDConnectProvider", **named)
    found.pop("CreateDate")
    assert found == {
        "Url": "issuer.example/path", "ClientIDList": ["b"], "ThumbprintList": ["f" * 40],
        "Tags": [{"Key": "k", "Value": "v"}],
    }  # fmt: skip
    assert {"Arn": arn} in iam.ok("ListOpenIDConnectProviders")["OpenIDConnectProviderList"]
    assert iam.refused("CreateOpenIDConnectProvider", Url="https://issuer.example/path") == Refusal(
        "EntityAlreadyExists", "Provider with url https://issuer.example/path already exists."
    )
    for wrong in (
        "http://issuer.example",
        "https://",
        "https://a.example/?x",
        "https://u@a.example",
        "https://[",
        "issuer.example",
    ):
        assert iam.refused("CreateOpenIDConnectProvider", Url=wrong).code == "InvalidInput"
    iam.ok("DeleteOpenIDConnectProvider", **named)
    assert iam.refused("GetOpenIDConnectProvider", **named) == Refusal(
        "NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}"
    )


def test_permissions_are_for_resources_by_path(iam: Iam) -> None:
    users = f"arn:aws:iam::{ACCOUNT}:user/dev/*"
    by = signing(
        iam, "dev-admin", json.dumps({"Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": users}})
    )
    iam.ok("CreateUser", by=by, UserName="dev-1", Path="/dev/")
    iam.ok("PutUserPolicy", by=by, UserName="dev-1", PolicyName="p", PolicyDocument=allowing("kms:*"))
    refusal = iam.refused("CreateUser", by=by, UserName="dev-2")
    assert refusal.code == "AccessDenied"
    assert f"iam:CreateUser on resource: arn:aws:iam::{ACCOUNT}:user/dev-2" in refusal.text
    for operation, more in (
        ("GetUser", {"UserName": "dev-admin"}), ("GetUser", {"UserName": "nobody-at-all"}), ("ListUsers", {}),
        ("UpdateUser", {"UserName": "dev-1", "NewPath": "/"}), ("GetAccountSummary", {}), ("ListPolicies", {}),
    ):  # fmt: skip
        assert iam.refused(operation, by=by, **more).code == "AccessDenied", operation


def test_permissions_depend_on_tags_policies_and_boundaries(iam: Iam) -> None:
    def when(*actions: str, **condition: Any) -> str:
        return allowing(*actions, Condition=condition)

    by = signing(
        iam, "conditional",
        when("iam:CreateUser", StringEquals={"aws:RequestTag/Team": "x"}, **{"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}),
        when("iam:DeleteUser", StringEquals={"aws:ResourceTag/team": "x"}),
        when("iam:AttachUserPolicy", ArnEquals={"iam:PolicyARN": f"{AWS}ReadOnlyAccess"}),
        when("iam:PutUserPolicy", ArnEquals={"iam:PermissionsBoundary": f"{AWS}ReadOnlyAccess"}),
    )  # fmt: skip
    tags = [{"Key": "Team", "Value": "x"}]
    assert iam.refused("CreateUser", by=by, UserName="c-1").code == "AccessDenied"
    more = [*tags, {"Key": "Other", "Value": "y"}]
    assert iam.refused("CreateUser", by=by, UserName="c-1", Tags=more).code == "AccessDenied"
    iam.ok("CreateUser", by=by, UserName="c-1", Tags=tags)
    assert (
        iam.refused("AttachUserPolicy", by=by, UserName="c-1", PolicyArn=f"{AWS}AdministratorAccess").code
        == "AccessDenied"
    )
    iam.ok("AttachUserPolicy", by=by, UserName="c-1", PolicyArn=f"{AWS}ReadOnlyAccess")
    put = {"UserName": "c-1", "PolicyName": "p", "PolicyDocument": allowing("kms:*")}
    assert iam.refused("PutUserPolicy", by=by, **put).code == "AccessDenied"
    iam.ok("PutUserPermissionsBoundary", UserName="c-1", PermissionsBoundary=f"{AWS}ReadOnlyAccess")
    iam.ok("PutUserPolicy", by=by, **put)
    iam.ok("DeleteUserPolicy", UserName="c-1", PolicyName="p")
    iam.ok("DetachUserPolicy", UserName="c-1", PolicyArn=f"{AWS}ReadOnlyAccess")
    iam.ok("CreateUser", UserName="c-2")
    assert iam.refused("DeleteUser", by=by, UserName="c-2").code == "AccessDenied"
    iam.ok("DeleteUser", by=by, UserName="c-1")


def test_the_summary_counts(iam: Iam) -> None:
    before = iam.ok("GetAccountSummary")["SummaryMap"]
    iam.ok("CreateUser", UserName="counted")
    after = iam.ok("GetAccountSummary")["SummaryMap"]
    assert after["Users"] == before["Users"] + 1
    assert (after["AccessKeysPerUserQuota"], after["PolicySizeQuota"]) == (2, 6144)
    assert iam.ok("ListAccountAliases") == {"AccountAliases": [], "IsTruncated": False}


def test_everything_is_described_at_once(iam: Iam) -> None:
    iam.ok("CreateUser", UserName="described", Tags=[{"Key": "a", "Value": "b"}])
    iam.ok("CreateGroup", GroupName="described")
    iam.ok("AddUserToGroup", GroupName="described", UserName="described")
    iam.ok("PutUserPolicy", UserName="described", PolicyName="p", PolicyDocument=allowing("kms:*"))
    iam.ok("AttachGroupPolicy", GroupName="described", PolicyArn=f"{AWS}ReadOnlyAccess")
    made(iam, "Role", "described")
    found = iam.ok("GetAccountAuthorizationDetails", MaxItems=1000)
    (user,) = [one for one in found["UserDetailList"] if one["UserName"] == "described"]
    assert (user["GroupList"], user["Tags"]) == (["described"], [{"Key": "a", "Value": "b"}])
    assert unquote(user["UserPolicyList"][0]["PolicyDocument"]) == allowing("kms:*")
    (group,) = [one for one in found["GroupDetailList"] if one["GroupName"] == "described"]
    assert group["AttachedManagedPolicies"][0]["PolicyName"] == "ReadOnlyAccess"
    assert "described" in {one["RoleName"] for one in found["RoleDetailList"]}
    assert "AdministratorAccess" in {one["PolicyName"] for one in found["Policies"]}
    roles = iam.ok("GetAccountAuthorizationDetails", Filter=["Role"], MaxItems=1)
    assert (len(roles["RoleDetailList"]), roles["UserDetailList"], roles["Policies"]) == (1, [], [])


def test_tags_of_another_account_are_no_condition_keys(service: Service, iam: Iam) -> None:
    secret = [{"Key": "secret", "Value": "a"}]
    url = "https://secret.example"
    policy = iam.ok("CreatePolicy", PolicyName="Secret", PolicyDocument=document(allow("*")), Tags=secret)[
        "Policy"
    ]
    provider = iam.ok("CreateOpenIDConnectProvider", Url=url, Tags=secret)["OpenIDConnectProviderArn"]
    tagged = {"Condition": {"StringEquals": {"aws:ResourceTag/secret": "a"}}}
    _, near = user(service, "near", allow("iam:Get*") | tagged)
    _, far = user(service, "far", allow("iam:Get*") | tagged, account="333344445555")
    for operation, members in (
        ("GetPolicy", {"PolicyArn": policy["Arn"]}),
        ("GetOpenIDConnectProvider", {"OpenIDConnectProviderArn": provider}),
    ):
        iam.ok(operation, by=near, **members)
        assert iam.refused(operation, by=far, **members).code == "AccessDenied"
