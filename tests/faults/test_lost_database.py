"""PostgreSQL crashes and comes back while a server runs: it needs no restart, whatever else dies meanwhile."""

import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.databases import new_url
from tests.functional.command_line import refused, serve
from tests.functional.server_process import StartServer
from tests.postgres_server import Postgres, start
from tests.unit.server.door_server import eventually


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
    before = set(server.all_worker_pids())
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


def test_a_server_that_begins_before_its_database_waits_for_it(
    start_server: StartServer, crashing: Postgres, tmp_path: Path
) -> None:
    url = new_url(crashing)
    crashing.crash()
    log = tmp_path / "server-0" / "server.log"
    with ThreadPoolExecutor(1) as starter:
        starting = starter.submit(start_server, "--database-url", url)
        eventually(lambda: log.exists() and "waiting up to 30 s: the database at" in log.read_text())
        assert not starting.done()
        crashing.restart()
        assert starting.result().client("kms").create_key()
    assert log.read_text().count("waiting up to") == 1


def test_a_server_whose_database_stays_away_gives_up(tmp_path: Path) -> None:
    where = (
        "--database-url",
        f"postgresql://kms@/none?host={tmp_path}",
        "--data-dir",
        str(tmp_path / "data"),
    )
    refused(serve(*where, "--database-wait", "0s"), "the database at", "does not answer")
    refused(serve(*where, "--database-wait", "soon"), "is not a span of time")
    done = serve(*where, "--database-wait", "1s")
    assert done.returncode == 2
    waiting, gave_up = done.stderr.splitlines()
    assert "waiting up to 1 s: the database at" in waiting
    assert gave_up.startswith("kms-server: the database at")
