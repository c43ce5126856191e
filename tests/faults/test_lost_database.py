"""PostgreSQL crashes and comes back while a server runs: it needs no restart, whatever else dies meanwhile."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.databases import new_url
from tests.functional.server_process import StartServer
from tests.postgres_server import Postgres, start


@pytest.fixture
def crashing() -> Iterator[Postgres]:
    """A database of the test's own."""
    server = start(Path(tempfile.mkdtemp(prefix="kms-pg-")))
    yield server
    server.stop()


def test_workers_that_begin_without_a_database_wait_for_it(
    start_server: StartServer, crashing: Postgres
) -> None:
    server = start_server("--database-url", new_url(crashing))
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key, Plaintext=b"x")
    before = set(server.worker_pids())
    crashing.crash()
    for call in (kms.list_keys, lambda: kms.encrypt(KeyId=key, Plaintext=b"x")):
        with pytest.raises(ClientError, match="KMSInternalException"):
            call()
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    server.wait_for(lambda: "a worker waits: the database at" in server.log.read_text())
    crashing.restart()
    server.wait_for(lambda: before.isdisjoint(server.worker_pids()))
    for _ in range(4):
        assert server.client("kms").encrypt(KeyId=key, Plaintext=b"x")["KeyId"].endswith(key)
    assert server.is_running
