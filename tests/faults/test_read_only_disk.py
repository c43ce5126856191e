"""The kernel finds an error on the host's disk and takes no more writes: nothing is answered without its record, nothing is lost."""

import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.databases import embed, new_url
from tests.faults.own_disk import Disk, own_disk
from tests.faults.test_audit_unwritable import fails, ready, warnings
from tests.faults.test_crash import Acknowledged, check, pressed
from tests.functional.command_line import refused
from tests.functional.server_process import ServerProcess
from tests.postgres_server import Postgres

SAID = "Read-only file system"
COMMANDS = (
    ("audit", "query"),
    ("audit", "verify"),
    ("root", "status"),
    ("quota", "list"),
    ("identity", "list"),
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """That of the data directory; what the server logs is elsewhere."""
    directory = tmp_path / "data"
    directory.mkdir()
    with own_disk(directory, 2**28) as made:
        directory.chmod(0o700)
        yield made


def another_worker_waits(server: ServerProcess) -> None:
    """One is killed: the next cannot begin, and the server goes on trying."""
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    server.wait_for(lambda: server.log.read_text().count("a worker could not begin") > 0)
    assert server.is_running
    assert "Traceback" not in server.log.read_text()


@contextmanager
def serving(directory: Path, *options: str) -> Iterator[ServerProcess]:
    """A server whose data are on the disk; nobody has a file open there afterwards."""
    server = ServerProcess(directory, *options)
    try:
        yield server
    finally:
        if server.is_running:
            server.kill9()


def test_sqlite(disk: Disk, tmp_path: Path) -> None:
    embed(disk.directory)
    told = Acknowledged()
    with serving(tmp_path) as server:
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        with pressed(server, told, clients=2):
            disk.turn_read_only()
            server.wait_for(lambda: len(told.failures) > 20)
        assert set(told.failures) == {"KMSInternalException"}
        calls: tuple[Callable[[], object], ...] = (
            lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
            lambda: kms.decrypt(CiphertextBlob=blob),
            lambda: kms.describe_key(KeyId=key),
            lambda: kms.disable_key(KeyId=key),
        )
        for call in calls:
            fails(call)
        assert SAID in ready(server.url)
        with urllib.request.urlopen(f"{server.url}/_kms/metrics") as numbers:
            assert b'operation="Encrypt",result="failed"' in numbers.read()
        for command in COMMANDS:
            refused(server.cli(*command, check=False), SAID)
        assert SAID in server.cli("doctor", check=False).stdout
        another_worker_waits(server)
    disk.repair()
    with serving(tmp_path) as server:
        check(server, told)
        assert server.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
        assert server.stop() == 0


def test_the_shared_files_of_a_host(disk: Disk, tmp_path: Path, postgres: Postgres) -> None:
    """Keys and log are in PostgreSQL: calls go on, changes as well."""
    told, place = Acknowledged(), ("--database-url", new_url(postgres))
    with serving(tmp_path, *place) as server:
        kms = server.client("kms")
        with pressed(server, told, clients=2):
            # What is mapped from a file has to be told of its next change, once it was written.
            subprocess.run(["sync", "--file-system", disk.directory], check=True)
            disk.turn_read_only()
            before = len(told.keys)
            server.wait_for(lambda: len(told.keys) > before + 3)
        assert not told.failures
        key = told.keys[0]
        kms.disable_key(KeyId=key)
        with pytest.raises(kms.exceptions.DisabledException):
            kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.enable_key(KeyId=key)
        assert ready(server.url) == ""
        assert SAID in warnings(server.url)
        refused(server.cli("root", "status", check=False), SAID)
        another_worker_waits(server)
        server.client("kms").describe_key(KeyId=key)  # by the one that is left
    disk.repair()
    with serving(tmp_path, *place) as server:
        check(server, told)
        assert server.stop() == 0
