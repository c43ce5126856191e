"""The root key changes under load on two hosts, which share a PostgreSQL and no file."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.databases import new_url
from tests.functional.root_clients import Client
from tests.functional.root_commands import status_at
from tests.functional.server_process import StartServer
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


@pytest.fixture
def hosts(start_server: StartServer, postgres: Postgres, tmp_path: Path) -> Hosts:
    return Hosts(start_server, new_url(postgres), tmp_path)


def test_a_host_without_the_new_version_holds_the_change_up_and_no_call_fails(hosts: Hosts) -> None:
    one, other = hosts.one, hosts.other
    with hosts.under_load():
        for command, name in (
            (["rotate"], "root.key"),
            (["migrate", "--to", f"file:{HERE}/new.key"], "new.key"),
        ):
            refused = one.cli("root", *command, "--wait", "0s", check=False)
            assert "does not hold version" in refused.stderr
            one.wait_for(lambda: hosts.waited_for() == {*other.worker_pids()})
            assert "of the root key is not in" in status_at(other)["waitsFor"][0]
            change = threading.Thread(target=one.cli, args=("root", *command))
            change.start()
            hosts.distribute(name)
            change.join()
            assert hosts.waited_for() == set()
    assert [found["state"] for found in status_at(other)["versions"]] == ["retired", "retired", "current"]
    hosts.check()
    for server, home in zip((one, other), hosts.homes, strict=True):
        server.cli("root", "shred")
        assert not (home / "root.key").exists()
        server.kill9()
        server.restart()
    hosts.check()
