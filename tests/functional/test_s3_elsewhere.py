"""The S3 layer of one server with the KMS of another: over the shared secret, and with credentials of the layer's own."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import ServerProcess

FRONT = ("--services", "s3,iam,sts", "--kms-endpoint")
OPEN = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
WITHOUT_KMS = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}


@pytest.fixture(scope="module")
def front(
    tmp_path_factory: pytest.TempPathFactory, kms: ServerProcess, secret: Path
) -> Iterator[ServerProcess]:
    """Serves S3 and knows its own users; their names are known to the KMS as well."""
    options = (*FRONT, kms.url, "--forward-secret", str(secret))
    process = ServerProcess(tmp_path_factory.mktemp("front"), *options, workers=1)
    yield process
    assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


def refusal(call: Any, **members: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        call(**members)
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_the_kms_judges_and_records_the_callers_of_the_front(
    front: ServerProcess, kms: ServerProcess
) -> None:
    keys, root = kms.client("kms"), front.client("s3")
    key = keys.create_key()["KeyMetadata"]["Arn"]
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    root.create_bucket(Bucket="ledgers")
    body = os.urandom(200_000)
    users: dict[str, Any] = {}
    for name, policy in (("clerk", OPEN), ("guest", WITHOUT_KMS)):
        kms.user_access(name, policy)
        users[name] = front.user_client("s3", name, OPEN)
    users["clerk"].put_object(Bucket="ledgers", Key="a", Body=body, **sealed)
    assert users["clerk"].get_object(Bucket="ledgers", Key="a")["Body"].read() == body
    # What the front's own policies say of the KMS does not count.
    assert refusal(users["guest"].get_object, Bucket="ledgers", Key="a") == ("AccessDenied", 403)
    told = kms.audit_records("--context", "aws:s3:arn=arn:aws:s3:::ledgers/a", "--user", "clerk")
    assert [record["eventName"] for record in told] == ["GenerateDataKey", "Decrypt"]
    assert {record["sourceIPAddress"] for record in told} == {"fas.s3.amazonaws.com"}
    keys.disable_key(KeyId=key)
    assert refusal(users["clerk"].get_object, Bucket="ledgers", Key="a") == ("KMS.DisabledException", 400)
    assert refusal(root.put_object, Bucket="ledgers", Key="b", Body=b"", **sealed) == (
        "KMS.DisabledException", 400,
    )  # fmt: skip
    keys.enable_key(KeyId=key)
    assert users["clerk"].get_object(Bucket="ledgers", Key="a")["Body"].read() == body


def test_kms_is_not_served_in_front(front: ServerProcess) -> None:
    with pytest.raises(ClientError):
        front.client("kms").list_keys()


def test_without_a_secret_the_layer_is_the_caller(tmp_path: Path, kms: ServerProcess) -> None:
    access = kms.user_access("layer", OPEN)
    own = {"AWS_ACCESS_KEY_ID": access.access_key_id, "AWS_SECRET_ACCESS_KEY": access.secret}
    front = ServerProcess(tmp_path, *FRONT, kms.url, workers=1, env=own)
    try:
        s3 = front.client("s3")
        s3.create_bucket(Bucket="attic")
        key = kms.client("kms").create_key()["KeyMetadata"]["Arn"]
        s3.put_object(Bucket="attic", Key="a", Body=b"old", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        assert s3.get_object(Bucket="attic", Key="a")["Body"].read() == b"old"
        told = kms.audit_records("--user", "layer", "--context", "aws:s3:arn=arn:aws:s3:::attic/a")
        assert [record["eventName"] for record in told] == ["GenerateDataKey", "Decrypt"]
    finally:
        assert front.stop() == 0
