"""`kms-server audit verify` beside a real server: no false alarm, whatever clients do, and what its exit codes say."""

import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import ServerProcess, StartServer

TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def test_callers_and_calls_of_all_kinds(server: ServerProcess, s3: Any, bucket: str, key: str) -> None:
    iam = server.client("iam")
    iam.create_role(RoleName="auditor", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName="auditor", PolicyName="p", PolicyDocument=json.dumps(ALLOW))
    user = server.user_access("n" * 64, ALLOW)
    sts = user.client("sts")
    role = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/auditor", RoleSessionName="night")
    federated = sts.get_federation_token(Name="guest", Policy=json.dumps(ALLOW))
    own = sts.get_session_token()
    for credentials in (role["Credentials"], federated["Credentials"], own["Credentials"]):
        session = server.client(
            "kms", aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"], aws_session_token=credentials["SessionToken"],
        )  # fmt: skip
        session.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "\0\u2028"})
    kms = server.client("kms")
    for identifier in ("alias/\u00e9" + "x" * 200, "1234abcd-12ab-34cd-56ef-1234567890ab"):
        refused(lambda name=identifier: kms.encrypt(KeyId=name, Plaintext=b"x"))
    kms.schedule_key_deletion(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    server.account_client("kms", "111122223333").create_key()
    s3.put_object(
        Bucket=bucket, Key="\u00e9/" + "k" * 900, Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "\u00e9/" + "k" * 900})
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copy"}, {"Key": "none"}]})
    refused(lambda: s3.get_object(Bucket=bucket, Key="none"))
    done = server.cli("audit", "verify")
    assert "no errors" in done.stdout
    assert server.audit_records("--event", "VerifyAuditLog")


def test_while_clients_call(server: ServerProcess, key: str, s3: Any, bucket: str) -> None:
    stop = threading.Event()
    kms = server.client(
        "kms"
    )  # not in the threads: it reads the environment, which commands change while they run

    def load() -> None:
        while not stop.is_set():
            kms.encrypt(KeyId=key, Plaintext=b"x")
            kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
            s3.put_object(Bucket=bucket, Key="k", Body=b"x")

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            told = json.loads(server.cli("audit", "verify", "--format", "json", check=False).stdout)
            assert told["findings"] == []
            assert told["log"]["rows"] > 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_after_a_stop_and_after_a_crash(start_server: StartServer) -> None:
    server = start_server()
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for end in (server.stop, server.kill9, server.stop):
        kms.encrypt(KeyId=key, Plaintext=b"x")
        end()
        told = json.loads(server.cli("audit", "verify", "--format", "json").stdout)
        assert told["findings"] == []
        assert told["log"]["checkpoints"] >= 1
        server.restart()


@pytest.mark.embedded("a missing segment")
def test_what_was_changed_is_named(start_server: StartServer) -> None:
    server = start_server(workers=1)
    kms = server.client("kms")
    kms.create_key()
    kms.list_keys()
    (segment,) = (server.data_dir / "audit").glob("*.db")
    server.stop()
    segment.unlink()
    done = server.cli("audit", "verify", check=False)
    assert done.returncode == 1
    assert f"error: writer {segment.stem}, row 1: the whole writer is missing: checkpoint" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 errors"
    assert server.cli("audit", "verify", "--no-log").stdout == "no errors\n"
    unknown = server.cli("audit", "verify", "--trail", "none", check=False)
    assert unknown.returncode == 2
    assert "there is no trail none" in unknown.stderr


def refused(call: Any) -> None:
    with pytest.raises(ClientError):
        call()
