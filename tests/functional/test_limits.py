"""Rate limits hold over all workers and hosts; stock clients get through; throttled calls are in the log."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from tests.databases import new_url
from tests.functional.limit_load import admissions, fullest_second, pressed, roots, spend, two_hosts
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres
from tests.redis_server import RedisServer

SOAK = bool(os.environ.get("KMS_TEST_SOAK"))
SECONDS = 5.0 if SOAK else 1.2
WORKERS = (1, 2, 4) if SOAK else (2,)
# Of the highest, what arrives together is above it on a slow machine, too.
BURSTS = {10: 5, 100: 10, 200: 20, 500: 50, 5_000: 1}


def limited_key(server: ServerProcess, rate: int) -> str:
    """A key with a limit of its own."""
    key: str = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    server.cli("quota", "set", "--key", key, "--rate", str(rate), "--burst", str(BURSTS[rate]))
    return key


def check(servers: list[ServerProcess], logs: list[Path], rate: int) -> None:
    """Press on a limit through all servers: no second of the internal times has more than limit and burst."""
    key = limited_key(servers[0], rate)
    passed, refused = pressed(roots(servers), key, SECONDS)
    times = admissions(logs, f"key:{key}")
    assert len(times) == passed
    assert refused
    assert fullest_second(times) <= rate + BURSTS[rate]
    if rate <= 500:  # any machine gets that far
        assert passed >= 0.9 * rate * SECONDS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("workers", WORKERS)
def test_a_limit_is_exact_over_the_workers_of_a_host(
    start_server: StartServer, tmp_path: Path, workers: int
) -> None:
    log = tmp_path / "limits.jsonl"
    server = start_server("--limit-log", str(log), "--quota-profile", "unlimited", workers=workers)
    for rate in (10, 200, 5_000):
        check([server], [log], rate)
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_burst_is_exact_for_many_connections_at_once(start_server: StartServer) -> None:
    """What comes together takes its tokens together, in each of two workers."""
    server = start_server("--quota-profile", "unlimited", workers=2)
    key: str = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    server.cli("quota", "set", "--key", key, "--rate", "0.001", "--burst", "3000")
    assert spend(server.access, key, rounds=50, connections=64) == (3_000, 200)


@contextmanager
def changing(kms: Any) -> Iterator[None]:
    """Something changes all the time, so that calls on other hosts are decided again."""
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    stop = threading.Event()

    def change() -> None:
        while not stop.wait(0.01):
            kms.update_key_description(KeyId=key, Description="another")

    with ThreadPoolExecutor(1) as thread:
        changes = thread.submit(change)
        try:
            yield
        finally:
            stop.set()
        changes.result()


@pytest.mark.timeout(300)
def test_a_limit_is_exact_over_two_hosts(
    start_server: StartServer, postgres: Postgres, redis: RedisServer, tmp_path: Path
) -> None:
    logs = [tmp_path / "one.jsonl", tmp_path / "other.jsonl"]
    one, other = two_hosts(start_server, new_url(postgres), redis.url, logs)
    with changing(one.client("kms")):
        check([one, other], logs, 10)
    check([one, other], logs, 500 if SOAK else 100)


@pytest.mark.timeout(120)
def test_one_client_finishes_in_every_retry_mode(start_server: StartServer) -> None:
    server = start_server(workers=2)
    calls = 25

    modes = [
        Config(retries={"total_max_attempts": 10, "mode": mode})
        for mode in ("legacy", "standard", "adaptive")
    ]
    clients = [server.client("kms", config=mode) for mode in modes]
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for kms in clients]
    for key in keys:
        server.cli("quota", "set", "--key", key, "--rate", "10")

    def finish(kms: Any, key: str) -> None:
        for _ in range(calls):
            kms.encrypt(KeyId=key, Plaintext=b"x")

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(finish, clients, keys))
    encrypted = [record for record in server.audit_records() if record["eventName"] == "Encrypt"]
    for key in keys:
        codes = [
            record.get("errorCode") for record in encrypted if record["requestParameters"]["keyId"] == key
        ]
        assert codes.count(None) == calls
        assert codes.count("ThrottlingException") == len(codes) - calls > 0
