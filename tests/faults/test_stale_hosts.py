"""A host that was away for longer than a moment decides nothing by what it knew before.

On PostgreSQL a change on one host holds on the others, whatever keeps them from hearing of it.
"""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.databases import new_url
from tests.faults.database_proxy import Proxy, proxied
from tests.functional.server_process import ServerProcess
from tests.postgres_server import Postgres

BOUND = 1.0


class Hosts(NamedTuple):
    """Two servers on one database, of which the second reaches it by a proxy; and clients of both."""

    one: Any
    other: Any
    server: ServerProcess
    proxy: Proxy


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Hosts]:
    url = new_url(postgres)
    with proxied(postgres) as proxy:
        one = ServerProcess(tmp_path_factory.mktemp("one"), "--database-url", url, workers=1)
        options = ("--root-key", f"file:{one.data_dir / 'root.key'}", "--audit-deadline", "20")
        behind = ("--database-url", proxy.url(url), *options)
        other = ServerProcess(tmp_path_factory.mktemp("other"), *behind, workers=1)
        yield Hosts(one.client("kms"), replace(one.access, url=other.url).client("kms"), other, proxy)
        other.stop()
        one.stop()


@pytest.fixture
def key(hosts: Hosts) -> str:
    """A key that is warm on the other host."""
    made: str = hosts.one.create_key()["KeyMetadata"]["KeyId"]
    hosts.server.wait_for(lambda: outcome(hosts, made) == "ciphertext")
    return made


@contextmanager
def stopped(server: ServerProcess) -> Iterator[None]:
    """As a virtual machine that is moved, or a container that is frozen."""
    pids = [*server.all_worker_pids(), server.pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def outcome(hosts: Hosts, key: str) -> str:
    try:
        hosts.other.encrypt(KeyId=key, Plaintext=b"x")
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ciphertext"


def test_a_call_that_met_a_stopped_host(hosts: Hosts, key: str) -> None:
    for _ in range(3):
        with ThreadPoolExecutor(1) as client:
            with stopped(hosts.server):
                hosts.one.disable_key(KeyId=key)
                time.sleep(BOUND)
                call = client.submit(outcome, hosts, key)
                time.sleep(0.1)
            assert call.result() == "DisabledException"
        hosts.one.enable_key(KeyId=key)
        hosts.server.wait_for(lambda: outcome(hosts, key) == "ciphertext")


def test_a_call_whose_record_arrived_late(hosts: Hosts, key: str) -> None:
    with ThreadPoolExecutor(1) as client:
        with hosts.proxy.held():
            call = client.submit(outcome, hosts, key)
            time.sleep(0.2)
            hosts.one.disable_key(KeyId=key)
            time.sleep(BOUND)
        assert call.result() in ("KMSInternalException", "DisabledException")


def test_a_slow_database_alone_makes_no_call_fail(hosts: Hosts, key: str) -> None:
    with hosts.proxy.delayed(0.1):
        assert [outcome(hosts, key) for _ in range(2)] == ["ciphertext"] * 2


def test_a_host_that_hears_nothing(hosts: Hosts, key: str) -> None:
    """The connections that were there are dead, and nobody says so; new ones work."""
    hosts.proxy.swallow()
    hosts.one.disable_key(KeyId=key)
    time.sleep(BOUND)
    with ThreadPoolExecutor(1) as client:
        call = client.submit(outcome, hosts, key)
        time.sleep(BOUND)
        assert not call.done() or call.result() == "DisabledException"
        hosts.proxy.cut()
        assert call.result() in ("KMSInternalException", "DisabledException")
