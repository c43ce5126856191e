"""STS by boto3: who is calling, roles, and temporary credentials that work everywhere."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import Access, ServerProcess, StartServer

ACCOUNT = "000000000000"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def trust(arn: str) -> str:
    return document(
        {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    )


def temporary(access: Access, service: str, told: dict[str, Any], **options: Any) -> Any:
    """A client with the credentials of an answer."""
    given = told["Credentials"]
    return access.client(
        service, aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"], **options,
    )  # fmt: skip


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    found: str = error.value.response["Error"]["Code"]
    return found


def user_and_role(server: ServerProcess, name: str, allowed: dict[str, Any]) -> tuple[Any, str]:
    """A client of a new user, and the ARN of a new role that trusts it and may do something."""
    iam = server.client("iam")
    user = iam.create_user(UserName=name)["User"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    role = iam.create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=trust(user["Arn"]))["Role"]
    iam.put_role_policy(RoleName=f"{name}-role", PolicyName="p", PolicyDocument=document(allowed))
    own = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return server.client("sts", **own), role["Arn"]


def test_who_is_calling(server: ServerProcess) -> None:
    told = server.client("sts").get_caller_identity()
    assert (told["UserId"], told["Account"], told["Arn"]) == (
        ACCOUNT,
        ACCOUNT,
        f"arn:aws:iam::{ACCOUNT}:root",
    )
    assert (
        told["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == told["ResponseMetadata"]["RequestId"]
    )


def test_a_role_works_at_once_on_every_worker_and_as_long_as_it_says(server: ServerProcess) -> None:
    sts, arn = user_and_role(server, "mira", {"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    told = sts.assume_role(RoleArn=arn, RoleSessionName="batch-7", Tags=[{"Key": "team", "Value": "red"}])
    kms = temporary(server.access, "kms", told)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(20):
        sealed = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    identity = temporary(server.access, "sts", told).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/mira-role/batch-7"
    server.client("iam").delete_role_policy(RoleName="mira-role", PolicyName="p")
    with pytest.raises(ClientError) as denied:
        kms.create_key()
    assert code(denied) == "AccessDeniedException"


def test_records_tell_the_session_and_no_secret(server: ServerProcess) -> None:
    sts, arn = user_and_role(server, "nora", {"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    told = sts.assume_role(RoleArn=arn, RoleSessionName="batch-8")
    temporary(server.access, "kms", told).list_keys()
    records = server.audit_records()
    listed = next(one for one in records if one["userIdentity"].get("arn", "").endswith("batch-8"))
    assert listed["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == arn
    written = json.dumps(records)
    for secret in ("SecretAccessKey", "SessionToken"):
        assert told["Credentials"][secret] not in written
        assert told["Credentials"][secret] not in server.log.read_text()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_presigned_url_proves_who_one_is(server: ServerProcess, method: str) -> None:
    sts = temporary(server.access, "sts", server.client("sts").get_session_token())
    url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=604_800, HttpMethod=method)
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
        assert f"<Arn>arn:aws:iam::{ACCOUNT}:root</Arn>".encode() in answer.read()
    altered = url.replace("X-Amz-Expires=604800", "X-Amz-Expires=604799")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(altered, method=method))
    assert refused.value.code == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in refused.value.read()


def test_credentials_expire_by_the_services_clock(start_server: StartServer) -> None:
    server = start_server("--dev")
    told = server.client("sts").get_session_token(DurationSeconds=900)
    kms, sts = (temporary(server.access, service, told) for service in ("kms", "sts"))
    kms.list_keys()
    server.cli("clock", "advance", "1h")
    for call, expected in (
        (kms.list_keys, "ExpiredTokenException"),
        (sts.get_caller_identity, "ExpiredToken"),
    ):
        with pytest.raises(ClientError) as expired:
            call()
        assert code(expired) == expected


def test_development_mode_honors_what_it_issues(start_server: StartServer) -> None:
    server = start_server("--dev")
    anybody = Access(server.url, "111122223333", "anything")
    role = anybody.client("iam").create_role(
        RoleName="r", AssumeRolePolicyDocument=trust("arn:aws:iam::111122223333:root")
    )["Role"]
    told = anybody.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="s-1")
    identity = temporary(anybody, "sts", told).get_caller_identity()
    assert identity["Arn"] == "arn:aws:sts::111122223333:assumed-role/r/s-1"
    with pytest.raises(ClientError) as denied:
        temporary(anybody, "kms", told).list_keys()
    assert code(denied) == "AccessDeniedException"
    foreign = anybody.client("sts", aws_access_key_id="ASIA" + "A" * 16, aws_session_token="foreign")
    assert foreign.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_errors_as_clients_know_them(server: ServerProcess) -> None:
    sts = server.client("sts")
    with pytest.raises(ClientError) as refused:
        sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/none", RoleSessionName="s-1")
    assert code(refused) == "AccessDenied"
    with pytest.raises(ClientError) as foreign:
        server.client("sts", aws_session_token="x").get_caller_identity()
    assert code(foreign) == "InvalidClientTokenId"
    with pytest.raises(ClientError) as wrong:
        server.client("sts", aws_secret_access_key="x").get_caller_identity()
    assert code(wrong) == "SignatureDoesNotMatch"
    with pytest.raises(sts.exceptions.InvalidIdentityTokenException) as unknown:
        sts.assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/none", RoleSessionName="s-1", WebIdentityToken="a.b.c"
        )
    assert code(unknown) == "InvalidIdentityToken"
