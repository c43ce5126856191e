"""The commands of articles about encryption in S3, word for word but for the endpoint."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional import processes
from tests.functional.server_process import ServerProcess, StartServer

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
        code, output, errors = processes.aws([*command.split(), *more], self._environment, self.directory)
        assert (code != 0) == bool(fails), output + errors
        assert fails in errors
        return output

    def head(self, bucket: str, key: str) -> tuple[str, str | None]:
        """The encryption and the KMS key that `head-object` shows."""
        shown = json.loads(self.aws(f"s3api head-object --bucket {bucket} --key {key}"))
        return shown["ServerSideEncryption"], shown.get("SSEKMSKeyId")


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
    assert shell.head(bucket, "s3") == ("AES256", None)
    shell.aws(f"s3 cp f s3://{bucket}/kms --sse aws:kms --sse-kms-key-id {key}")
    assert shell.head(bucket, "kms") == ("aws:kms", key)
    shell.aws(f"s3 cp s3://{bucket}/kms back")
    assert (shell.directory / "back").read_bytes() == CONTENT


def test_two_layers(shell: Shell, bucket: str, key: str) -> None:
    dsse = f"--server-side-encryption aws:kms:dsse --ssekms-key-id {key}"
    shell.aws(f"s3api put-object --bucket {bucket} --key dsse --body f {dsse}")
    assert shell.head(bucket, "dsse") == ("aws:kms:dsse", key)


def test_a_key_in_a_file(shell: Shell, bucket: str) -> None:
    words = "--sse-c AES256 --sse-c-key fileb://k"
    shell.aws(f"s3 cp f s3://{bucket}/c {words}")
    shell.aws(f"s3 cp s3://{bucket}/c back", fails="(400)")
    shell.aws(f"s3 cp s3://{bucket}/c back {words}")
    assert (shell.directory / "back").read_bytes() == CONTENT


def test_default_encryption(shell: Shell, secure: ServerProcess, key: str) -> None:
    s3 = secure.client("s3")
    s3.create_bucket(Bucket="defaults")
    for rule, expected in (
        ({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, ("aws:kms", key)),
        ({"SSEAlgorithm": "AES256"}, ("AES256", None)),
    ):
        document = json.dumps({"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]})
        shell.aws(
            "s3api put-bucket-encryption --bucket defaults --server-side-encryption-configuration", document
        )
        (found,) = s3.get_bucket_encryption(Bucket="defaults")["ServerSideEncryptionConfiguration"]["Rules"]
        assert found["ApplyServerSideEncryptionByDefault"] == rule
        shell.aws("s3 cp f s3://defaults/f")
        assert shell.head("defaults", "f") == expected


def test_a_policy_that_denies_unencrypted_uploads(shell: Shell, secure: ServerProcess) -> None:
    secure.client("s3").create_bucket(Bucket="strict")
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
    (shell.directory / "large").write_bytes(CONTENT * 500)
    shell.aws("s3 cp large s3://strict/large --sse aws:kms")


def test_a_policy_that_denies_plain_http(
    shell: Shell, secure: ServerProcess, start_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "plain").mkdir()
    server = start_server()
    plain = Shell(server, tmp_path / "plain")
    deny = {
        "Sid": "AllowSSLRequestsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    for over in (secure, server):
        over.client("s3").create_bucket(Bucket="tls-only")
    shell.aws("s3api put-bucket-policy --bucket tls-only --policy", policy)
    plain.aws("s3api put-bucket-policy --bucket tls-only --policy", policy)
    plain.aws("s3 cp f s3://tls-only/f", fails="(AccessDenied)")
    shell.aws("s3 cp f s3://tls-only/f")
    assert shell.aws("s3 ls s3://tls-only").endswith(" f\n")
