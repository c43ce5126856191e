"""What the tests of S3 share: clients and buckets of the module's server, and a server that is reached by TLS."""

from collections.abc import Iterator
from typing import Any

import pytest

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
