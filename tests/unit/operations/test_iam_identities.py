"""Users, access keys, groups and roles over IAM's API: what is written comes back, and who may do what follows at once."""

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.credentials import Credentials

from tests.unit.operations.query_service import Iam
from tests.unit.operations.service import ACCOUNT, Refusal, Service

ARN = f"arn:aws:iam::{ACCOUNT}:"


@pytest.fixture(scope="module")
def iam(service: Service) -> Iam:
    return Iam(service)


def allowing(*actions: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trusting(principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def credentials(key: dict[str, Any]) -> Credentials:
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def test_a_user_comes_back_as_it_was_made(iam: Iam) -> None:
    tags = [{"Key": "Team", "Value": "x"}, {"Key": "Ä /=", "Value": ""}]
    made = iam.ok("CreateUser", UserName="round", Path="/a/b/", Tags=tags)["User"]
    assert made["Arn"] == f"{ARN}user/a/b/round"
    assert made["Tags"] == tags
    assert iam.ok("GetUser", UserName="round")["User"] == made
    listed = {name: made[name] for name in made.keys() - {"Tags"}}
    assert listed in iam.ok("ListUsers", PathPrefix="/a/")["Users"]
    assert iam.refused("GetUser", UserName="ROUND") == Refusal(
        "NoSuchEntity", "The user with name ROUND cannot be found."
    )
    assert iam.refused("CreateUser", UserName="Round") == Refusal(
        "EntityAlreadyExists", "User with name Round already exists."
    )


def test_an_access_key_works_until_it_is_inactive_or_gone(iam: Iam, service: Service) -> None:
    iam.ok("CreateUser", UserName="keys")
    iam.ok("PutUserPolicy", UserName="keys", PolicyName="p", PolicyDocument=allowing("kms:ListKeys"))
    key = iam.ok("CreateAccessKey", UserName="keys")["AccessKey"]
    by = credentials(key)
    service.ok("ListKeys", by=by)
    iam.ok("UpdateAccessKey", UserName="keys", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert [one["Status"] for one in iam.ok("ListAccessKeys", UserName="keys")["AccessKeyMetadata"]] == [
        "Inactive"
    ]
    assert service.refused("ListKeys", by=by).code == "UnrecognizedClientException"
    iam.ok("UpdateAccessKey", UserName="keys", AccessKeyId=key["AccessKeyId"], Status="Active")
    service.ok("ListKeys", by=by)
    iam.ok("CreateAccessKey", UserName="keys")
    assert iam.refused("CreateAccessKey", UserName="keys") == Refusal(
        "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2"
    )
    iam.ok("DeleteAccessKey", UserName="keys", AccessKeyId=key["AccessKeyId"])
    assert service.refused("ListKeys", by=by).code == "UnrecognizedClientException"
    missing = Refusal("NoSuchEntity", f"The Access Key with id {key['AccessKeyId']} cannot be found.")
    named = {"UserName": "keys", "AccessKeyId": key["AccessKeyId"]}
    attempts: list[tuple[str, dict[str, Any]]] = [
        ("DeleteAccessKey", named),
        ("UpdateAccessKey", named | {"Status": "Active"}),
    ]
    for operation, members in attempts:
        assert iam.refused(operation, **members) == missing


def test_a_key_of_somebody_else_is_not_found(iam: Iam) -> None:
    for name in ("one", "another"):
        iam.ok("CreateUser", UserName=name)
    key = iam.ok("CreateAccessKey", UserName="one")["AccessKey"]["AccessKeyId"]
    owners: list[dict[str, Any]] = [{"UserName": "another"}, {}]
    for owner in owners:
        assert iam.refused("DeleteAccessKey", AccessKeyId=key, **owner).code == "NoSuchEntity"
    assert (
        iam.refused("UpdateAccessKey", AccessKeyId=key, UserName="one", Status="Expired").code
        == "InvalidInput"
    )


def test_the_secret_is_told_once_and_never_logged(iam: Iam) -> None:
    iam.ok("CreateUser", UserName="secret")
    key = iam.ok("CreateAccessKey", UserName="secret")["AccessKey"]
    (record,) = [one for one in iam.records("CreateAccessKey") if key["AccessKeyId"] in json.dumps(one)]
    assert re.fullmatch(
        r"[A-Z][a-z]{2} \d{1,2}, \d{4}, \d{1,2}:\d\d:\d\d [AP]M",
        record["responseElements"]["accessKey"]["createDate"],
    )
    assert key["SecretAccessKey"] not in json.dumps(record)
    assert record["eventSource"] == "iam.amazonaws.com"
    assert record["requestParameters"] == {"userName": "secret"}
    assert record["responseElements"]["accessKey"]["userName"] == "secret"
    assert "SecretAccessKey" not in iam.ok("ListAccessKeys", UserName="secret")["AccessKeyMetadata"][0]


def test_when_a_key_was_last_used_comes_from_the_log(iam: Iam, service: Service) -> None:
    iam.ok("CreateUser", UserName="used")
    iam.ok("PutUserPolicy", UserName="used", PolicyName="p", PolicyDocument=allowing("kms:*"))
    key = iam.ok("CreateAccessKey", UserName="used")["AccessKey"]
    wanted = {"AccessKeyId": key["AccessKeyId"]}
    assert iam.ok("GetAccessKeyLastUsed", **wanted) == {
        "UserName": "used",
        "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"},
    }
    service.ok("CreateKey", by=credentials(key))
    used = iam.ok("GetAccessKeyLastUsed", **wanted)["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"]) == ("kms", "us-east-1")
    assert iam.refused("GetAccessKeyLastUsed", AccessKeyId="AKIA" + "X" * 16).code == "AccessDenied"


def test_without_a_name_the_caller_is_meant(iam: Iam, service: Service) -> None:
    root = iam.ok("GetUser")["User"]
    assert (root["Arn"], root["UserId"]) == (f"{ARN}root", ACCOUNT)
    assert [key for key in iam.ok("ListAccessKeys")["AccessKeyMetadata"] if "UserName" in key] == []
    _, by = service.user("self", "iam:GetUser", "iam:*AccessKey*")
    assert iam.ok("GetUser", by=by)["User"]["UserName"] == "self"
    made = iam.ok("CreateAccessKey", by=by)["AccessKey"]
    assert made["UserName"] == "self"
    assert len(iam.ok("ListAccessKeys", by=by)["AccessKeyMetadata"]) == 2
    iam.ok("DeleteAccessKey", by=credentials(made), AccessKeyId=made["AccessKeyId"])


def test_a_user_keeps_keys_and_policies_under_another_name(iam: Iam, service: Service) -> None:
    before = iam.ok("CreateUser", UserName="before")["User"]
    iam.ok("PutUserPolicy", UserName="before", PolicyName="p", PolicyDocument=allowing("kms:ListKeys"))
    by = credentials(iam.ok("CreateAccessKey", UserName="before")["AccessKey"])
    iam.ok("CreateUser", UserName="taken")
    assert iam.refused("UpdateUser", UserName="before", NewUserName="TAKEN").code == "EntityAlreadyExists"
    iam.ok("UpdateUser", UserName="before", NewUserName="after", NewPath="/x/")
    after = iam.ok("GetUser", UserName="after")["User"]
    assert (after["UserId"], after["Arn"]) == (before["UserId"], f"{ARN}user/x/after")
    service.ok("ListKeys", by=by)
    assert iam.refused("GetUser", UserName="before").code == "NoSuchEntity"
    iam.ok("UpdateUser", UserName="after", NewUserName="After")
    assert iam.ok("ListUserPolicies", UserName="After")["PolicyNames"] == ["p"]


def test_a_user_goes_when_nothing_is_left(iam: Iam) -> None:
    iam.ok("CreateUser", UserName="leaving")
    iam.ok("CreateGroup", GroupName="left")
    key = iam.ok("CreateAccessKey", UserName="leaving")["AccessKey"]["AccessKeyId"]
    iam.ok("AddUserToGroup", GroupName="left", UserName="leaving")
    iam.ok("PutUserPolicy", UserName="leaving", PolicyName="p", PolicyDocument=allowing("kms:*"))
    policy = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.ok("AttachUserPolicy", UserName="leaving", PolicyArn=policy)
    for text, operation, more in (
        ("access keys first.", "DeleteAccessKey", {"AccessKeyId": key}),
        ("remove users from group first.", "RemoveUserFromGroup", {"GroupName": "left"}),
        ("delete policies first.", "DeleteUserPolicy", {"PolicyName": "p"}),
        ("detach all policies first.", "DetachUserPolicy", {"PolicyArn": policy}),
    ):
        refusal = iam.refused("DeleteUser", UserName="leaving")
        assert refusal.code == "DeleteConflict"
        assert refusal.text.endswith(text)
        iam.ok(operation, UserName="leaving", **more)
    iam.ok("DeleteUser", UserName="leaving")
    assert iam.refused("DeleteUser", UserName="leaving").code == "NoSuchEntity"


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("ListMFADevices", "MFADevices"), ("ListSigningCertificates", "Certificates"),
        ("ListSSHPublicKeys", "SSHPublicKeys"), ("ListServiceSpecificCredentials", "ServiceSpecificCredentials"),
    ],
)  # fmt: skip
def test_what_users_cannot_have_is_nowhere(iam: Iam, operation: str, member: str) -> None:
    name = f"without-{member}"
    iam.ok("CreateUser", UserName=name)
    assert iam.ok(operation, UserName=name) == iam.ok(operation) == {member: [], "IsTruncated": False}
    assert iam.refused(operation, UserName="nobody").code == "NoSuchEntity"
    for about_passwords in ("GetLoginProfile", "DeleteLoginProfile"):
        assert iam.refused(about_passwords, UserName=name) == Refusal(
            "NoSuchEntity", f"Login Profile for User {name} cannot be found."
        )
    assert iam.ok("ListVirtualMFADevices")["VirtualMFADevices"] == []


def test_who_is_made_again_has_nothing_of_the_former(iam: Iam, service: Service) -> None:
    first = iam.ok("CreateUser", UserName="again")["User"]
    iam.ok("CreateRole", RoleName="for-again", AssumeRolePolicyDocument=trusting({"AWS": first["Arn"]}))
    assert shown(iam, "for-again") == {"AWS": first["Arn"]}
    iam.ok("UpdateUser", UserName="again", NewUserName="renamed")
    assert shown(iam, "for-again") == {"AWS": f"{ARN}user/renamed"}
    iam.ok("DeleteUser", UserName="renamed")
    iam.ok("CreateUser", UserName="again")
    assert shown(iam, "for-again") == {"AWS": first["UserId"]}


def shown(iam: Iam, role: str) -> Any:
    document = iam.ok("GetRole", RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    return json.loads(unquote(document))["Statement"][0]["Principal"]


def test_a_role_comes_back_as_it_was_made(iam: Iam) -> None:
    trust = '{ "Version": "2012-10-17",\n "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}'
    made = iam.ok(
        "CreateRole", RoleName="batch", Path="/jobs/", AssumeRolePolicyDocument=trust, Description="nightly",
        MaxSessionDuration=7200, Tags=[{"Key": "a", "Value": "b"}],
        PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess",
    )["Role"]  # fmt: skip
    assert iam.ok("GetRole", RoleName="batch")["Role"] == made
    assert unquote(made["AssumeRolePolicyDocument"]) == trust
    assert (made["Arn"], made["MaxSessionDuration"], made["Description"]) == (
        f"{ARN}role/jobs/batch",
        7200,
        "nightly",
    )
    assert made["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith("ReadOnlyAccess")
    (listed,) = iam.ok("ListRoles", PathPrefix="/jobs/")["Roles"]
    assert listed.items() <= made.items()
    iam.ok("UpdateRole", RoleName="batch", MaxSessionDuration=3600)
    iam.ok("UpdateRoleDescription", RoleName="batch", Description="hourly")
    changed = iam.ok("GetRole", RoleName="batch")["Role"]
    assert (changed["MaxSessionDuration"], changed["Description"]) == (3600, "hourly")
    assert iam.ok("ListInstanceProfilesForRole", RoleName="batch")["InstanceProfiles"] == []
    iam.ok("DeleteRole", RoleName="batch")
    assert iam.refused("GetRole", RoleName="batch") == Refusal(
        "NoSuchEntity", "The role with name batch cannot be found."
    )


@pytest.mark.parametrize(
    ("principal", "text"),
    [
        ({"AWS": f"{ARN}user/nobody"}, f'Invalid principal in policy: "AWS":"{ARN}user/nobody"'),
        ({"AWS": [ACCOUNT, f"{ARN}role/none"]}, f'Invalid principal in policy: "AWS":"{ARN}role/none"'),
        ({"AWS": "999999999999"}, 'Invalid principal in policy: "AWS":"999999999999"'),
        ({"AWS": "AIDAGONE"}, 'Invalid principal in policy: "AWS":"AIDAGONE"'),
        (
            {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/none/s"},
            f'Invalid principal in policy: "AWS":"arn:aws:sts::{ACCOUNT}:assumed-role/none/s"',
        ),
    ],
)
def test_a_trust_policy_names_who_exists(iam: Iam, principal: Any, text: str) -> None:
    refusal = iam.refused("CreateRole", RoleName="untrusted", AssumeRolePolicyDocument=trusting(principal))
    assert refusal == Refusal("MalformedPolicyDocument", text)
    assert iam.refused("GetRole", RoleName="untrusted").code == "NoSuchEntity"


def test_a_trust_policy_is_replaced(iam: Iam) -> None:
    iam.ok("CreateRole", RoleName="trusting", AssumeRolePolicyDocument=trusting({"AWS": ACCOUNT}))
    both = {"AWS": [f"{ARN}root", f"{ARN}role/trusting"], "Service": "ec2.amazonaws.com"}
    iam.ok("UpdateAssumeRolePolicy", RoleName="trusting", PolicyDocument=trusting(both))
    assert shown(iam, "trusting") == both
    long = trusting({"AWS": [ACCOUNT] * 200})
    for wrong, code in (
        ("{}", "MalformedPolicyDocument"),
        ("{", "MalformedPolicyDocument"),
        (long, "LimitExceeded"),
    ):
        assert iam.refused("UpdateAssumeRolePolicy", RoleName="trusting", PolicyDocument=wrong).code == code
    assert shown(iam, "trusting") == both


def test_a_group_gives_its_members_what_it_may(iam: Iam, service: Service) -> None:
    iam.ok("CreateUser", UserName="member")
    by = credentials(iam.ok("CreateAccessKey", UserName="member")["AccessKey"])
    made = iam.ok("CreateGroup", GroupName="staff", Path="/g/")["Group"]
    iam.ok("PutGroupPolicy", GroupName="staff", PolicyName="p", PolicyDocument=allowing("kms:ListKeys"))
    assert service.refused("ListKeys", by=by).code == "AccessDeniedException"
    for _ in range(2):
        iam.ok("AddUserToGroup", GroupName="staff", UserName="member")
    service.ok("ListKeys", by=by)
    found = iam.ok("GetGroup", GroupName="staff")
    assert (found["Group"], [one["UserName"] for one in found["Users"]]) == (made, ["member"])
    assert iam.ok("ListGroupsForUser", UserName="member")["Groups"] == [made]
    assert iam.ok("ListGroups", PathPrefix="/g/")["Groups"] == [made]
    assert iam.refused("DeleteGroup", GroupName="staff").code == "DeleteConflict"
    iam.ok("UpdateGroup", GroupName="staff", NewGroupName="crew", NewPath="/h/")
    service.ok("ListKeys", by=by)
    iam.ok("RemoveUserFromGroup", GroupName="crew", UserName="member")
    assert service.refused("ListKeys", by=by).code == "AccessDeniedException"
    assert iam.refused("RemoveUserFromGroup", GroupName="crew", UserName="member").code == "NoSuchEntity"
    assert iam.refused("AddUserToGroup", GroupName="crew", UserName="none").code == "NoSuchEntity"
    assert iam.refused("DeleteGroup", GroupName="crew").text.endswith("must delete policies first.")
    iam.ok("DeleteGroupPolicy", GroupName="crew", PolicyName="p")
    iam.ok("DeleteGroup", GroupName="crew")


def test_a_user_is_in_ten_groups_at_most(iam: Iam) -> None:
    iam.ok("CreateUser", UserName="sociable")
    for number in range(11):
        iam.ok("CreateGroup", GroupName=f"club-{number}")
    for number in range(10):
        iam.ok("AddUserToGroup", GroupName=f"club-{number}", UserName="sociable")
    iam.ok("AddUserToGroup", GroupName="club-3", UserName="sociable")
    assert iam.refused("AddUserToGroup", GroupName="club-10", UserName="sociable") == Refusal(
        "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10"
    )


def test_lists_come_in_pages(iam: Iam) -> None:
    for number in range(5):
        iam.ok("CreateUser", UserName=f"page-{number}", Path="/pages/")
    names: list[str] = []
    marker: dict[str, Any] = {}
    while True:
        page = iam.ok("ListUsers", PathPrefix="/pages/", MaxItems=2, **marker)
        names += [user["UserName"] for user in page["Users"]]
        assert len(page["Users"]) <= 2
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert names == [f"page-{number}" for number in range(5)]
    for wrong in ("x", marker["Marker"]):
        refusal = iam.refused("ListUsers", PathPrefix="/", Marker=wrong)
        assert refusal == Refusal("ValidationError", "Invalid Marker.")


@pytest.mark.parametrize(
    ("operation", "members", "text"),
    [
        ("CreateUser", {}, "1 validation error detected: Value null at 'userName' failed to satisfy constraint: Member must not be null"),
        ("CreateUser", {"UserName": "a b"}, "1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"),
        ("GetRole", {"RoleName": "x" * 65}, f"1 validation error detected: Value '{'x' * 65}' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64"),
        ("ListUsers", {"MaxItems": 0}, "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1"),
    ],
)  # fmt: skip
def test_members_are_checked_as_the_model_says(
    iam: Iam, operation: str, members: dict[str, Any], text: str
) -> None:
    assert iam.refused(operation, **members) == Refusal("ValidationError", text)
