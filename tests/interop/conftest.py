"""Live servers in strict mode for other people's clients."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.server_process import ServerProcess
from tests.interop.openssl import OpenSsl
from tests.interop.toolchain import Program, client_environment, tool

NewKey = Callable[..., str]


def _serve(factory: pytest.TempPathFactory, *options: str) -> Iterator[ServerProcess]:
    process = ServerProcess(factory.mktemp("interop"), *options)
    yield process
    assert process.stop() == 0
    log = process.log.read_text()
    assert "Traceback" not in log
    assert "internal failure" not in log


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all clients, as they would share one."""
    yield from _serve(tmp_path_factory)


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Another one, for clients that speak nothing but TLS."""
    yield from _serve(tmp_path_factory, "--tls-auto")


@pytest.fixture(scope="session")
def environment(server: ServerProcess) -> dict[str, str]:
    """The variables with which a client finds the server."""
    return client_environment(server.credentials())


@pytest.fixture(scope="session")
def kms(server: ServerProcess) -> Any:
    """The other end of each exchange: a stock botocore client."""
    return server.client("kms")


@pytest.fixture(scope="session")
def new_key(kms: Any) -> NewKey:
    """Creates keys; their ARNs."""

    def create(**arguments: Any) -> str:
        return str(kms.create_key(**arguments)["KeyMetadata"]["Arn"])

    return create


@pytest.fixture
def key(new_key: NewKey) -> str:
    """The ARN of a new symmetric encryption key."""
    return new_key()


@pytest.fixture
def openssl(environment: dict[str, str], tmp_path: Path) -> OpenSsl:
    """The openssl command line in a directory of its own."""
    return OpenSsl(Program([tool("openssl", "the openssl command line")], environment, tmp_path), tmp_path)
