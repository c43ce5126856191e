"""What the tests of S3 share: clients and buckets of the module's server, and servers that are reached otherwise."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kms_server.server import forward_secret
from tests.functional.s3_client import new_bucket, s3_client
from tests.functional.server_process import ServerProcess


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for modules that need TLS: they make it their `server`."""
    process = ServerProcess(tmp_path_factory.mktemp("server"), "--tls-auto")
    yield process
    assert process.stop() == 0
    log = process.log.read_text()
    assert "Traceback" not in log
    assert "internal failure" not in log


@pytest.fixture(scope="module")
def s3(server: ServerProcess) -> Any:
    return s3_client(server.access)


@pytest.fixture(scope="module")
def bucket(s3: Any) -> str:
    return new_bucket(s3)


@pytest.fixture(scope="module")
def key(server: ServerProcess) -> str:
    arn: str = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    return arn


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an S3 server and the KMS of another server share."""
    path = tmp_path_factory.mktemp("secret") / "secret"
    forward_secret.create(path)
    return path


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory, secret: Path) -> Iterator[ServerProcess]:
    """A server whose KMS takes calls that another server makes for its callers."""
    process = ServerProcess(tmp_path_factory.mktemp("kms"), "--forward-secret", str(secret), workers=1)
    yield process
    assert process.stop() == 0
    log = process.log.read_text()
    assert "Traceback" not in log
    assert "internal failure" not in log
