"""The commands of articles about encryption in S3, word for word but for the endpoint."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.server_process import ServerProcess

CONTENT = b"a secret of the shell\n" * 1_000


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that has TLS by one flag."""
    process = ServerProcess(tmp_path_factory.mktemp("secure"), "--tls-auto")
    yield process
    assert process.stop() == 0


class Shell:
    """The AWS CLI in a directory with a file `f` and a key `k`."""

    def __init__(self, server: ServerProcess, directory: Path) -> None:
        self.directory = directory
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        self._environment = clean | nowhere | server.credentials()
        (directory / "f").write_bytes(CONTENT)
        (directory / "k").write_bytes(os.urandom(32))

    def aws(self, command: str, *more: str, fails: str = "") -> str:
        """Run a command; its output, or what it says of the error that it is expected to end with."""
        done = subprocess.run(
            [Path(sys.executable).parent / "aws", *command.split(), *more], env=self._environment, cwd=self.directory,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) == bool(fails), done.stdout + done.stderr
        assert fails in done.stderr
        return done.stdout

    def head(self, bucket: str, key: str) -> Any:
        """What `head-object` shows."""
        return json.loads(self.aws(f"s3api head-object --bucket {bucket} --key {key}"))


@pytest.fixture
def shell(secure: ServerProcess, tmp_path: Path) -> Shell:
    return Shell(secure, tmp_path)


@pytest.fixture(scope="module")
def bucket(secure: ServerProcess) -> str:
    secure.client("s3").create_bucket(Bucket="articles")
    return "articles"


@pytest.fixture(scope="module")
def key(secure: ServerProcess) -> str:
    return str(secure.client("kms").create_key()["KeyMetadata"]["Arn"])


def test_sse_s3_and_sse_kms(shell: Shell, bucket: str, key: str) -> None:
    shell.aws(f"s3 cp f s3://{bucket}/s3 --sse AES256")
    assert shell.head(bucket, "s3")["ServerSideEncryption"] == "AES256"
    shell.aws(f"s3 cp f s3://{bucket}/kms --sse aws:kms --sse-kms-key-id {key}")
    head = shell.head(bucket, "kms")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    shell.aws(f"s3 cp s3://{bucket}/kms back")
    assert (shell.directory / "back").read_bytes() == CONTENT


def test_two_layers(shell: Shell, bucket: str, key: str) -> None:
    dsse = f"--server-side-encryption aws:kms:dsse --ssekms-key-id {key}"
    shell.aws(f"s3api put-object --bucket {bucket} --key dsse --body f {dsse}")
    head = shell.head(bucket, "dsse")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms:dsse", key)
    shell.aws(f"s3api get-object --bucket {bucket} --key dsse back")
    assert (shell.directory / "back").read_bytes() == CONTENT


def test_a_key_in_a_file(shell: Shell, bucket: str) -> None:
    words = "--sse-c AES256 --sse-c-key fileb://k"
    shell.aws(f"s3 cp f s3://{bucket}/c {words}")
    shell.aws(f"s3 cp s3://{bucket}/c back", fails="(400)")
    shell.aws(f"s3 cp s3://{bucket}/c back {words}")
    assert (shell.directory / "back").read_bytes() == CONTENT


def test_default_encryption(shell: Shell, secure: ServerProcess, key: str) -> None:
    shell.aws("s3 mb s3://defaults")
    for rule, expected in (
        ({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, ("aws:kms", key)),
        ({"SSEAlgorithm": "AES256"}, ("AES256", None)),
    ):
        document = json.dumps({"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]})
        shell.aws(
            "s3api put-bucket-encryption --bucket defaults --server-side-encryption-configuration", document
        )
        shown = json.loads(shell.aws("s3api get-bucket-encryption --bucket defaults"))
        (found,) = shown["ServerSideEncryptionConfiguration"]["Rules"]
        assert found["ApplyServerSideEncryptionByDefault"] == rule
        shell.aws("s3 cp f s3://defaults/f")
        head = shell.head("defaults", "f")
        assert (head["ServerSideEncryption"], head.get("SSEKMSKeyId")) == expected


def test_a_policy_that_denies_unencrypted_uploads(shell: Shell) -> None:
    shell.aws("s3 mb s3://strict")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::strict/*"}
    header = "s3:x-amz-server-side-encryption"
    statements = [
        {
            **deny,
            "Sid": "DenyIncorrectEncryptionHeader",
            "Condition": {"StringNotEquals": {header: "aws:kms"}},
        },
        {**deny, "Sid": "DenyUnencryptedObjectUploads", "Condition": {"Null": {header: "true"}}},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    shell.aws("s3api put-bucket-policy --bucket strict --policy", policy)
    for words in ("", " --sse AES256"):
        shell.aws(f"s3 cp f s3://strict/f{words}", fails="(AccessDenied)")
    shell.aws("s3 cp f s3://strict/f --sse aws:kms")
    (shell.directory / "large").write_bytes(CONTENT * 500)
    shell.aws("s3 cp large s3://strict/large --sse aws:kms")


def test_a_policy_that_denies_plain_http(shell: Shell, server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = Shell(server, tmp_path / "plain")
    deny = {
        "Sid": "AllowSSLRequestsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    for over in (shell, plain):
        over.aws("s3 mb s3://tls-only")
        over.aws("s3api put-bucket-policy --bucket tls-only --policy", policy)
    plain.aws("s3 cp f s3://tls-only/f", fails="(AccessDenied)")
    plain.aws("s3 ls s3://tls-only", fails="(AccessDenied)")
    shell.aws("s3 cp f s3://tls-only/f")
    assert shell.aws("s3 ls s3://tls-only").endswith(" f\n")
