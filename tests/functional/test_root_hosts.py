"""The root key changes under load on two hosts, which share a PostgreSQL and no file."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.databases import new_url
from tests.functional.root_clients import Client
from tests.functional.root_commands import status_at
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres

# What it names is another directory for each server.
HERE = "/proc/self/cwd"


class Hosts:
    """Two servers on one database, and clients of each; the root key is at the same path on both hosts."""

    def __init__(self, start_server: StartServer, url: str, directory: Path) -> None:
        self.homes = directory / "server-0", directory / "server-1"
        told = {"KMS_SERVER_ROOT_KEY": f"file:{HERE}/root.key"}
        self.one = start_server("--database-url", url, env=told, alone=True)
        self.homes[1].mkdir()
        self.distribute("root.key")
        self.other = start_server("--database-url", url, env=told, alone=True)
        there = replace(self.one.access, url=self.other.url)
        self.clients = Client(self.one), Client(self.one, there, "nora")

    def distribute(self, name: str) -> None:
        """Copy a root key file of the one host to the other."""
        source, target = (home / name for home in self.homes)
        copy = target.with_suffix(".copy")
        copy.touch(mode=0o600)
        shutil.copyfile(source, copy)
        copy.replace(target)

    def waited_for(self) -> set[int]:
        """The processes that the change waits for, by `root status`."""
        told = [reason.split() for reason in status_at(self.one)["waitsFor"]]
        return {int(words[1]) for words in told if words[0] == "process"}

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Clients of both hosts call, and no call fails."""
        one, other = self.clients
        with one.calling(), other.calling():
            yield
        assert (one.failures, other.failures) == ([], [])
        assert min(one.calls, other.calls) > 20

    def check(self) -> None:
        """What clients hold is good on either host."""
        for client in self.clients:
            client.check(self.one.url)
            client.check(self.other.url)


@contextmanager
def frozen(server: ServerProcess) -> Iterator[None]:
    """None of a server's processes does anything until the block ends."""
    os.killpg(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(server.pid, signal.SIGCONT)


def decrypts(kms: Any, sealed: bytes) -> bool:
    try:
        kms.decrypt(CiphertextBlob=sealed)
    except ClientError:
        return False
    return True


@pytest.fixture
def hosts(start_server: StartServer, postgres: Postgres, tmp_path: Path) -> Hosts:
    return Hosts(start_server, new_url(postgres), tmp_path)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["rotate"], "root.key"),
        pytest.param(["migrate", "--to", f"file:{HERE}/new.key"], "new.key", marks=pytest.mark.soak),
    ],
    ids=["rotate", "migrate"],
)
def test_a_host_without_the_new_version_holds_the_change_up_and_no_call_fails(
    hosts: Hosts, command: list[str], name: str
) -> None:
    one, other = hosts.one, hosts.other
    with hosts.under_load():
        refused = one.cli("root", *command, "--wait", "0s", check=False)
        assert "does not hold version 2" in refused.stderr
        one.wait_for(lambda: hosts.waited_for() == {*other.worker_pids()})
        missing = f"version 2 of the root key is not in file:{HERE}/root.key: copy it there"
        assert missing in status_at(other)["waitsFor"][0]
        change = threading.Thread(target=one.cli, args=("root", *command))
        change.start()
        hosts.distribute(name)
        change.join()
    assert [found["state"] for found in status_at(other)["versions"]] == ["retired", "current"]
    for server, home in zip((one, other), hosts.homes, strict=True):
        server.cli("root", "shred")
        assert (home / "root.key").exists() is (name == "root.key")
        server.kill9()
        server.restart()
    hosts.check()


@pytest.mark.soak
def test_a_host_that_was_away_waits_for_the_new_version(hosts: Hosts) -> None:
    one, other = hosts.one, hosts.other
    key = hosts.clients[1].keys[0]
    here, there = one.client("kms"), hosts.clients[1].kms
    with frozen(other):
        with hosts.clients[0].calling():
            one.cli("root", "rotate")
        assert hosts.clients[0].failures == []
        sealed = here.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    for _ in range(3):
        with pytest.raises(ClientError, match="KeyUnavailableException"):
            there.decrypt(CiphertextBlob=sealed)
    hosts.distribute("root.key")
    other.wait_for(lambda: decrypts(there, sealed))
    assert hosts.waited_for() == set()
    hosts.check()
