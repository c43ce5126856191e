"""The disk of PostgreSQL is full, or takes no more writes: errors may be tried again, nothing acknowledged is lost."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.databases import new_url
from tests.faults.own_disk import Disk, own_disk
from tests.faults.test_audit_unwritable import ready
from tests.faults.test_crash import Acknowledged, check, pressed
from tests.faults.test_database_crash import DEADLINE, GENEROUS, recovery
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres, start

pytestmark = pytest.mark.soak
_LOG = logging.getLogger(__name__)


class Stored(NamedTuple):
    """PostgreSQL, and the disk on which its data are, its write-ahead log too."""

    postgres: Postgres
    disk: Disk


@pytest.fixture(scope="module")
def stored() -> Iterator[Stored]:
    directory = Path(tempfile.mkdtemp(prefix="kms-pg-"))
    (directory / "data").mkdir()
    with own_disk(directory / "data", 2**28) as disk:
        postgres = start(directory, durable=True)
        yield Stored(postgres, disk)
        postgres.stop()


def told_by(server: ServerProcess, told: Acknowledged, seconds: float) -> None:
    """Look at what clients were told of a database that failed."""
    calls = f"{len(told.request_ids)} calls acknowledged, {len(told.failures)} failed in {told.slowest:.1f} s at most"
    _LOG.info("%s; recovery in %.2f s", calls, seconds)
    assert set(told.failures) == {"KMSInternalException"}
    assert told.slowest < DEADLINE + GENEROUS
    check(server, told)


def test_a_full_disk(stored: Stored, start_server: StartServer) -> None:
    server = start_server("--database-url", new_url(stored.postgres), workers=1)
    told = Acknowledged()
    with pressed(server, told, clients=2):
        with stored.disk.full():
            server.wait_for(lambda: len(told.failures) > 20)
            assert "log of management events cannot be written: OperationalError (53100)" in ready(server.url)
        seconds = recovery(server)
    told_by(server, told, seconds)


def test_a_disk_that_takes_no_writes(stored: Stored, start_server: StartServer) -> None:
    """PostgreSQL ends, and cannot start until the disk is repaired."""
    server = start_server("--database-url", new_url(stored.postgres), workers=1)
    workers, told = server.all_worker_pids(), Acknowledged()
    with pressed(server, told, clients=2):
        stored.disk.turn_read_only()
        server.wait_for(lambda: "the database does not answer" in ready(server.url))
        stored.disk.repair()
        stored.postgres.release()
        stored.postgres.restart()
        seconds = recovery(server)
    assert "PANIC" in (stored.postgres.directory / "log").read_text()
    assert server.worker_pids() == workers
    told_by(server, told, seconds)
