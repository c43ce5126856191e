"""The store of shared counters is killed, hangs and comes back under load."""

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.databases import new_url
from tests.functional.limit_load import admissions, fullest_second, pressed, roots, two_hosts
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres
from tests.redis_server import RedisServer

RATE, BURST = 200, 20
_EPOCH = 1e15  # microseconds: the store counts from 1970, a host from its start


def warnings(server: ServerProcess) -> list[str]:
    """What a worker's health says of the counters; the server must be ready all the same."""
    with urllib.request.urlopen(f"{server.url}/_kms/ready", timeout=30) as answer:
        return [one for one in json.load(answer)["warnings"] if "shared counters" in one]


def lost(server: ServerProcess) -> bool:
    """Whether a worker says that they are lost; several times, since any may answer."""
    return all(warnings(server) for _ in range(4))


def found(server: ServerProcess) -> bool:
    return not any(warnings(server) for _ in range(4))


@pytest.mark.timeout(120)
def test_no_call_fails_while_the_store_is_away(
    start_server: StartServer, postgres: Postgres, redis: RedisServer, tmp_path: Path
) -> None:
    logs = [tmp_path / "one.jsonl", tmp_path / "other.jsonl"]
    one, other = two_hosts(start_server, new_url(postgres), redis.url, logs)
    key: str = one.client("kms").create_key()["KeyMetadata"]["KeyId"]
    one.cli("quota", "set", "--key", key, "--rate", str(RATE), "--burst", str(BURST))
    hosts = [server.data_dir / "state" / "hosts" for server in (one, other)]
    one.wait_for(lambda: all(path.exists() and path.read_text() == "2" for path in hosts))
    with ThreadPoolExecutor(1) as thread:
        # Whoever presses takes no other answers than success and ThrottlingException.
        load = thread.submit(pressed, roots([one, other]), key, 6.5)
        time.sleep(1.2)
        redis.kill()
        for server in (one, other):
            server.wait_for(lambda server=server: lost(server))  # type: ignore[misc]  # called at once
            assert "1/2 of each limit" in warnings(server)[0]
        time.sleep(1.2)
        redis.start()
        for server in (one, other):
            server.wait_for(lambda server=server: found(server))  # type: ignore[misc]  # called at once
        passed, _ = load.result()
    times = [admissions([log], f"key:{key}") for log in logs]
    assert sum(map(len, times)) == passed
    together = sorted(moment for host in times for moment in host if moment >= _EPOCH)
    assert fullest_second(together) <= RATE + BURST
    for host in times:
        alone = [moment for moment in host if moment < _EPOCH]
        assert len(alone) > RATE / 2
        assert fullest_second(alone) <= (RATE + BURST) / 2
    assert together[-1] - together[0] > 3_000_000, "it never came back"


@pytest.mark.timeout(120)
def test_a_store_that_hangs_costs_a_moment_once(start_server: StartServer, redis: RedisServer) -> None:
    server = start_server("--quota-url", redis.url)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    redis.freeze()
    for _ in range(50):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    server.wait_for(lambda: lost(server))
    redis.thaw()
    server.wait_for(lambda: found(server))
    kms.encrypt(KeyId=key, Plaintext=b"x")


def test_a_server_starts_without_its_store(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--quota-url", f"unix://{tmp_path / 'nothing'}")
    server.client("kms").create_key()
    server.wait_for(lambda: lost(server))
    assert "lost" in server.log.read_text()
