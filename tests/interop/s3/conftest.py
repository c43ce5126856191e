"""Buckets for other people's clients of S3, over plain HTTP and over TLS."""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.functional.server_process import ServerProcess
from tests.interop.toolchain import client_environment

NewBucket = Callable[..., str]


def create_bucket(s3: Any, key: str | None = None) -> str:
    """A new bucket; with a KMS key, that one is its default encryption."""
    name = f"interop-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    if key is not None:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        rule = {"ApplyServerSideEncryptionByDefault": default}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return name


@pytest.fixture(scope="session")
def s3(server: ServerProcess) -> Any:
    """The other end of each exchange: a stock botocore client."""
    return server.client("s3")


@pytest.fixture(scope="session")
def tls_s3(tls_server: ServerProcess) -> Any:
    """The same over TLS, to the server that has it."""
    return tls_server.client("s3")


@pytest.fixture(scope="session")
def tls_environment(tls_server: ServerProcess) -> dict[str, str]:
    """The variables with which a client finds and trusts the server that speaks TLS."""
    credentials = tls_server.credentials()
    return client_environment(credentials, SSL_CERT_FILE=credentials["AWS_CA_BUNDLE"])


@pytest.fixture
def bucket(s3: Any, key: str) -> str:
    """A new bucket; what says nothing of encryption is encrypted under `key`."""
    return create_bucket(s3, key)


@pytest.fixture
def tls_bucket(tls_s3: Any) -> str:
    """A new bucket of the server that speaks TLS."""
    return create_bucket(tls_s3)


def files_with(directory: Path, secrets: Sequence[bytes]) -> list[Path]:
    """The files below a directory in which one of the secrets stands in clear."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
