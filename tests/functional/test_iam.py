"""IAM with stock clients against a live server: what a change allows or denies holds at once on every worker."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.command_line import refused
from tests.functional.server_process import Access, ServerProcess, StartServer
from tests.functional.test_operator import aws

ACCOUNT = "000000000000"
ROUNDS = 8


def allowing(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def code(call: Any, **members: Any) -> str:
    """The error code of a call that fails."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    found: str = caught.value.response["Error"]["Code"]
    return found


def signing(server: ServerProcess, name: str) -> Any:
    """A KMS client of a user with a new access key."""
    key = server.client("iam").create_access_key(UserName=name)["AccessKey"]
    access = Access(server.url, key["AccessKeyId"], key["SecretAccessKey"], server.access.verify)
    return access.client("kms")


def test_changes_hold_at_once_on_every_worker(server: ServerProcess) -> None:
    iam = server.client("iam")
    iam.create_user(UserName="quick")
    arn = iam.create_policy(PolicyName="quick", PolicyDocument=allowing("kms:ListKeys"))["Policy"]["Arn"]
    kms = signing(server, "quick")
    for _ in range(ROUNDS):
        assert code(kms.list_keys) == "AccessDeniedException"
        iam.attach_user_policy(UserName="quick", PolicyArn=arn)
        kms.list_keys()
        iam.put_user_policy(
            UserName="quick",
            PolicyName="no",
            PolicyDocument=allowing("kms:ListKeys").replace("Allow", "Deny"),
        )
        assert code(kms.list_keys) == "AccessDeniedException"
        iam.delete_user_policy(UserName="quick", PolicyName="no")
        kms.list_keys()
        iam.detach_user_policy(UserName="quick", PolicyArn=arn)


def test_an_access_key_stops_at_once(server: ServerProcess) -> None:
    iam = server.client("iam")
    iam.create_user(UserName="stopped")
    iam.put_user_policy(UserName="stopped", PolicyName="p", PolicyDocument=allowing("kms:*"))
    kms = signing(server, "stopped")
    (key,) = iam.list_access_keys(UserName="stopped")["AccessKeyMetadata"]
    named = {"UserName": "stopped", "AccessKeyId": key["AccessKeyId"]}
    for _ in range(ROUNDS):
        kms.list_keys()
        iam.update_access_key(**named, Status="Inactive")
        assert code(kms.list_keys) == "UnrecognizedClientException"
        iam.update_access_key(**named, Status="Active")
    assert f"{key['AccessKeyId']}  Active " in server.cli("identity", "list").stdout
    iam.delete_access_key(**named)
    assert code(kms.list_keys) == "UnrecognizedClientException"


def test_a_renamed_user_keeps_its_keys_over_a_restart(start_server: StartServer) -> None:
    server = start_server()
    iam = server.client("iam")
    iam.create_user(UserName="before")
    iam.put_user_policy(UserName="before", PolicyName="p", PolicyDocument=allowing("kms:ListKeys"))
    kms = signing(server, "before")
    kms.list_keys()
    iam.update_user(UserName="before", NewUserName="after", NewPath="/x/")
    kms.list_keys()
    server.stop()
    server.restart()
    kms.list_keys()
    events = server.audit_records("--user", "after")
    assert {event["userIdentity"]["arn"] for event in events} == {f"arn:aws:iam::{ACCOUNT}:user/x/after"}


def test_what_was_written_comes_back_decoded(server: ServerProcess) -> None:
    iam = server.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.create_role(RoleName="read-back", AssumeRolePolicyDocument=json.dumps(trust), Description="Ä")
    role = iam.get_role(RoleName="read-back")["Role"]
    assert (role["AssumeRolePolicyDocument"], role["Description"]) == (trust, "Ä")
    iam.put_role_policy(RoleName="read-back", PolicyName="p", PolicyDocument=allowing("kms:*"))
    found = iam.get_role_policy(RoleName="read-back", PolicyName="p")["PolicyDocument"]
    assert found == json.loads(allowing("kms:*"))
    for paginator, members in (
        ("list_users", {}), ("list_roles", {}), ("list_policies", {}), ("list_role_policies", {"RoleName": "read-back"}),
        ("get_account_authorization_details", {}),
    ):  # fmt: skip
        pages = iam.get_paginator(paginator).paginate(**members, PaginationConfig={"PageSize": 1})
        assert pages.build_full_result()


def test_the_command_line_makes_users_and_trusts_issuers(start_server: StartServer, tmp_path: Any) -> None:
    server = start_server()
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}))
    trust = ("identity", "trust-issuer", "https://issuer.example/path", "--keys", str(keys))
    arn = server.cli(*trust, "--client-id", "a").stdout.strip()
    server.cli(*trust, "--client-id", "b")
    iam = server.client("iam")
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["ClientIDList"]) == ("issuer.example/path", ["a", "b"])
    records = [one for one in server.audit_records() if one["eventName"] == "PinOpenIDConnectProviderKeys"]
    assert [one["userIdentity"]["type"] for one in records] == ["Operator", "Operator"]
    keys.write_text(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}))
    refused(server.cli(*trust, check=False), "private or symmetric")
    keys.write_text("[]")
    refused(server.cli(*trust, check=False), "not a JSON Web Key Set")
    refused(
        server.cli("identity", "trust-issuer", "http://x", "--keys", str(keys), check=False),
        "JSON Web Key Set",
    )
    server.cli("identity", "create-user", "boss", "--admin")
    attached = iam.list_attached_user_policies(UserName="boss")["AttachedPolicies"]
    assert [one["PolicyName"] for one in attached] == ["AdministratorAccess"]
    server.cli("identity", "create-key", "--user", "boss")
    refused(server.cli("identity", "create-key", "--user", "boss", check=False), "2 access keys already")


def test_the_aws_cli_makes_a_user(start_server: StartServer) -> None:
    server = start_server()
    aws(server, "iam", "create-user", "--user-name", "mira", "--tags", "Key=Team,Value=x")
    aws(
        server,
        "iam",
        "put-user-policy",
        "--user-name",
        "mira",
        "--policy-name",
        "p",
        "--policy-document",
        allowing("kms:*"),
    )
    policy = json.loads(aws(server, "iam", "get-user-policy", "--user-name", "mira", "--policy-name", "p"))
    assert policy["PolicyDocument"] == json.loads(allowing("kms:*"))
    assert json.loads(aws(server, "iam", "list-users"))["Users"][0]["UserName"] == "mira"
