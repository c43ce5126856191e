"""Who may do what, as somebody sets it up with boto3 and then finds it: policies on both sides, roles and sessions."""

import json
from typing import Any, NamedTuple
from uuid import uuid4

from tests.functional.server_process import Access, ServerProcess, StartServer
from tests.functional.test_boundaries import OTHER, refusal, text
from tests.functional.test_sts import ACCOUNT, document, temporary, trust

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ENCRYPT = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}
ADMINISTRATION = {
    "Effect": "Allow", "Principal": {"AWS": ROOT}, "Resource": "*",
    "Action": ["kms:Put*", "kms:Get*", "kms:Describe*", "kms:Create*", "kms:Schedule*"],
}  # fmt: skip


class User(NamedTuple):
    """A user and a client of its own for each service."""

    name: str
    arn: str
    access: Access

    def client(self, service: str) -> Any:
        return self.access.client(service)


def user(server: ServerProcess, *statements: dict[str, Any], name: str | None = None) -> User:
    """A new user whose policy has these statements."""
    iam, name = server.client("iam"), name or f"u-{uuid4().hex[:8]}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return User(
        name, arn, Access(server.url, key["AccessKeyId"], key["SecretAccessKey"], server.access.verify)
    )


def key_with(kms: Any, *statements: dict[str, Any]) -> str:
    """A key whose policy leaves its administration, and no use, to the account, and says this besides."""
    made: str = kms.create_key(Policy=document(ADMINISTRATION, *statements))["KeyMetadata"]["Arn"]
    return made


def encrypts(client: Any, key_id: str) -> bool:
    """Whether a client may encrypt under a key; a refusal is for want of permission."""
    try:
        client.encrypt(KeyId=key_id, Plaintext=b"x")
    except client.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def using(arn: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:Encrypt", "Resource": "*"} | more


def test_an_identity_policy_needs_the_key_policys_leave(server: ServerProcess) -> None:
    kms, mira = server.client("kms"), user(server, ENCRYPT)
    key_id = key_with(kms)
    told = text(mira.client("kms").encrypt, KeyId=key_id, Plaintext=b"x")
    assert told == (
        f"User: {mira.arn} is not authorized to perform: kms:Encrypt on resource: {key_id} because no "
        "resource-based policy allows the kms:Encrypt action"
    )
    kms.put_key_policy(KeyId=key_id, Policy=document(ADMINISTRATION, using(ROOT)))
    assert encrypts(mira.client("kms"), key_id)
    assert not encrypts(user(server).client("kms"), key_id)


def test_across_accounts_both_sides_must_agree(server: ServerProcess) -> None:
    kms = server.client("kms")
    root = server.account_client("iam", OTHER)
    stranger = root.create_user(UserName="stranger")["User"]["Arn"]
    key = root.create_access_key(UserName="stranger")["AccessKey"]
    client = Access(server.url, key["AccessKeyId"], key["SecretAccessKey"], server.access.verify).client(
        "kms"
    )
    closed, opened = key_with(kms), key_with(kms, using(stranger))
    assert not encrypts(client, opened)
    root.put_user_policy(UserName="stranger", PolicyName="p", PolicyDocument=document(ENCRYPT))
    assert encrypts(client, opened)
    assert text(client.encrypt, KeyId=closed, Plaintext=b"x").endswith(
        "because the resource does not exist in this Region, no resource-based policies allow access, or a "
        "resource-based policy explicitly denies access"
    )


def test_a_session_has_no_more_than_its_policy(server: ServerProcess) -> None:
    kms, iam = server.client("kms"), server.client("iam")
    mira = user(server, {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    name = f"r-{uuid4().hex[:8]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(mira.arn))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(ENCRYPT | {"Action": "kms:*"}))
    one, two = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    assumed = {"RoleArn": role, "RoleSessionName": "night"}
    whole = temporary(server.access, "kms", mira.client("sts").assume_role(**assumed))
    told = mira.client("sts").assume_role(**assumed, Policy=document(ENCRYPT | {"Resource": one}))
    limited = temporary(server.access, "kms", told)
    assert encrypts(whole, one)
    assert encrypts(whole, two)
    assert encrypts(limited, one)
    assert text(limited.encrypt, KeyId=two, Plaintext=b"x").endswith(
        "because no session policy allows the kms:Encrypt action"
    )
    assert refusal(limited.describe_key, KeyId=one) == "AccessDeniedException"


def test_a_key_for_a_service_refuses_direct_calls(server: ServerProcess) -> None:
    kms, mira = server.client("kms"), user(server, ENCRYPT)
    via = {"Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}}
    assert not encrypts(mira.client("kms"), key_with(kms, using("*", **via)))
    direct = {"Condition": {"Null": {"kms:ViaService": "true"}}}
    assert encrypts(mira.client("kms"), key_with(kms, using("*", **direct)))


def test_a_user_has_what_its_groups_have_within_its_boundary(server: ServerProcess) -> None:
    kms, iam, mira = server.client("kms"), server.client("iam"), user(server)
    key_id = kms.create_key()["KeyMetadata"]["Arn"]
    group = f"g-{uuid4().hex[:8]}"
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="p", PolicyDocument=document(ENCRYPT))
    assert not encrypts(mira.client("kms"), key_id)
    iam.add_user_to_group(GroupName=group, UserName=mira.name)
    assert encrypts(mira.client("kms"), key_id)
    narrow = document(ENCRYPT | {"Action": "kms:Decrypt"})
    boundary = iam.create_policy(PolicyName=f"b-{group}", PolicyDocument=narrow)["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=mira.name, PermissionsBoundary=boundary)
    assert text(mira.client("kms").encrypt, KeyId=key_id, Plaintext=b"x").endswith(
        "because no permissions boundary allows the kms:Encrypt action"
    )
    iam.delete_user_permissions_boundary(UserName=mira.name)
    assert encrypts(mira.client("kms"), key_id)


def test_who_is_made_again_has_nothing_of_the_former(server: ServerProcess) -> None:
    kms, iam, mira = server.client("kms"), server.client("iam"), user(server)
    key_id = key_with(kms, using(mira.arn))
    kms.create_grant(KeyId=key_id, GranteePrincipal=mira.arn, Operations=["Encrypt"])
    assert encrypts(mira.client("kms"), key_id)
    for key in iam.list_access_keys(UserName=mira.name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=mira.name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=mira.name)
    assert refusal(mira.client("kms").encrypt, KeyId=key_id, Plaintext=b"x") == "UnrecognizedClientException"
    again = user(server, name=mira.name)
    assert again.arn == mira.arn
    assert not encrypts(again.client("kms"), key_id)
    (shown,) = (
        one["Principal"]["AWS"]
        for one in json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])["Statement"]
        if one["Principal"]["AWS"] != ROOT
    )
    assert shown.startswith("AIDA")


def test_a_refusal_is_in_the_log_with_who_was_refused(server: ServerProcess) -> None:
    kms, mira = server.client("kms"), user(server)
    key_id = kms.create_key()["KeyMetadata"]["Arn"]
    assert not encrypts(mira.client("kms"), key_id)
    attribute = {"AttributeKey": "Username", "AttributeValue": mira.name}
    (event,) = server.client("cloudtrail").lookup_events(LookupAttributes=[attribute])["Events"]
    record = json.loads(event["CloudTrailEvent"])
    assert (record["eventName"], record["errorCode"]) == ("Encrypt", "AccessDenied")
    assert record["userIdentity"]["arn"] == mira.arn
    assert "no identity-based policy allows" in record["errorMessage"]


def test_a_session_ends_by_the_services_clock(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    kms, iam = server.client("kms"), server.client("iam")
    mira = user(server, {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    role = iam.create_role(RoleName="night", AssumeRolePolicyDocument=trust(mira.arn))["Role"]["Arn"]
    iam.put_role_policy(RoleName="night", PolicyName="p", PolicyDocument=document(ENCRYPT))
    key_id = kms.create_key()["KeyMetadata"]["Arn"]
    short, longer = (
        temporary(
            server.access, "kms",
            mira.client("sts").assume_role(RoleArn=role, RoleSessionName="shift", DurationSeconds=seconds),
        )
        for seconds in (900, 3_600)
    )  # fmt: skip
    assert encrypts(short, key_id)
    server.cli("clock", "advance", "901s")
    assert refusal(short.encrypt, KeyId=key_id, Plaintext=b"x") == "ExpiredTokenException"
    assert encrypts(longer, key_id)
