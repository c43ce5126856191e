"""What was acknowledged survives `kill -9`, and has exactly one audit record."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.databases import new_url
from tests.functional.server_process import ServerProcess, StartServer

GRANTEE = "arn:aws:iam::000000000000:root"
ROUNDS = int(os.environ.get("KMS_TEST_CRASH_ROUNDS", "4"))


@dataclass
class Acknowledged:
    """What clients were told, kept in the test's own memory."""

    keys: list[str] = field(default_factory=list)
    grants: list[tuple[str, str]] = field(default_factory=list)
    ciphertexts: list[tuple[bytes, bytes]] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, error: ClientError | BotoCoreError, seconds: float) -> None:
        with self.lock:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            self.failures.append(code)
            self.slowest = max(self.slowest, seconds)

    def note(self, answer: dict[str, Any]) -> None:
        self.request_ids.append(answer["ResponseMetadata"]["RequestId"])


def load(kms: Any, told: Acknowledged, stop: threading.Event) -> None:
    """Mixed calls until the server dies."""
    while not stop.is_set():
        began = time.monotonic()
        try:
            answer = kms.create_key()
            with told.lock:
                told.note(answer)
                told.keys.append(answer["KeyMetadata"]["KeyId"])
            key = answer["KeyMetadata"]["KeyId"]
            answer = kms.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=["Encrypt"])
            with told.lock:
                told.note(answer)
                told.grants.append((key, answer["GrantId"]))
            for number in range(8):
                began = time.monotonic()
                plaintext = f"{key}/{number}".encode()
                answer = kms.encrypt(KeyId=key, Plaintext=plaintext)
                with told.lock:
                    told.note(answer)
                    told.ciphertexts.append((answer["CiphertextBlob"], plaintext))
        except (ClientError, BotoCoreError) as error:
            told.fail(error, time.monotonic() - began)
            time.sleep(0.02)


@contextmanager
def pressed(server: ServerProcess, told: Acknowledged, clients: int = 4) -> Iterator[None]:
    """Clients make calls until the block ends; it begins when some were answered."""
    stop, before = threading.Event(), len(told.ciphertexts)
    made = [server.client("kms") for _ in range(clients)]
    threads = [threading.Thread(target=load, args=(kms, told, stop)) for kms in made]
    for thread in threads:
        thread.start()
    try:
        server.wait_for(lambda: len(told.ciphertexts) > before)
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def check(server: ServerProcess, told: Acknowledged) -> None:
    """All of it is there, and every call has exactly one record."""
    kms = server.client("kms")
    existing = {
        entry["KeyId"] for page in kms.get_paginator("list_keys").paginate() for entry in page["Keys"]
    }
    assert set(told.keys) <= existing
    for key, grant in told.grants:
        assert [one["GrantId"] for one in kms.list_grants(KeyId=key, GrantId=grant)["Grants"]] == [grant]
    for blob, plaintext in told.ciphertexts:
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext
    records = server.audit_records()
    recorded = Counter(record.get("requestID") for record in records)
    assert {recorded[request_id] for request_id in told.request_ids} == {1}
    assert max(Counter(record["eventID"] for record in records).values()) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost(
    start_server: StartServer, request: pytest.FixtureRequest, kind: str
) -> None:
    at = ["--database-url", new_url(request.getfixturevalue("postgres"))] if kind == "postgresql" else []
    server = start_server(*at)
    told = Acknowledged()
    chance = random.Random(20261121)
    for _ in range(ROUNDS):
        with pressed(server, told):
            time.sleep(chance.uniform(0.1, 0.6))
            server.kill9()
        server.restart()
    check(server, told)


def test_the_other_workers_go_on(start_server: StartServer) -> None:
    server = start_server(workers=3)
    kms = server.client("kms", max_attempts=5)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    server.cli("quota", "set", "--key", key, "--rate", "10000")
    for _ in range(20):
        server.kill_a_worker()
        for number in range(5):
            kms.encrypt(KeyId=key, Plaintext=str(number).encode())
        kms.disable_key(KeyId=key)
        kms.enable_key(KeyId=key)
