"""What was acknowledged survives `kill -9`, and has exactly one audit record."""

import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.functional.server_process import StartServer

ROUNDS = int(os.environ.get("KMS_TEST_CRASH_ROUNDS", "8"))


@dataclass
class Acknowledged:
    """What clients were told, kept in the test's own memory."""

    keys: list[str] = field(default_factory=list)
    ciphertexts: list[tuple[bytes, bytes]] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: dict[str, Any]) -> None:
        self.request_ids.append(answer["ResponseMetadata"]["RequestId"])


def load(kms: Any, told: Acknowledged, stop: threading.Event) -> None:
    """Mixed calls until the server dies."""
    while not stop.is_set():
        try:
            answer = kms.create_key()
            with told.lock:
                told.note(answer)
                told.keys.append(answer["KeyMetadata"]["KeyId"])
            key = answer["KeyMetadata"]["KeyId"]
            for number in range(8):
                plaintext = f"{key}/{number}".encode()
                answer = kms.encrypt(KeyId=key, Plaintext=plaintext)
                with told.lock:
                    told.note(answer)
                    told.ciphertexts.append((answer["CiphertextBlob"], plaintext))
        except (ClientError, BotoCoreError):
            time.sleep(0.02)


def test_nothing_acknowledged_is_lost(start_server: StartServer) -> None:
    server = start_server()
    told = Acknowledged()
    chance = random.Random(20261121)
    made = [server.client("kms") for _ in range(4)]
    for _ in range(ROUNDS):
        stop = threading.Event()
        clients = [threading.Thread(target=load, args=(kms, told, stop)) for kms in made]
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0.1, 0.6))
        server.kill9()
        stop.set()
        for client in clients:
            client.join()
        server.restart()
    kms = server.client("kms")
    existing = {
        entry["KeyId"] for page in kms.get_paginator("list_keys").paginate() for entry in page["Keys"]
    }
    assert len(told.keys) > ROUNDS
    assert set(told.keys) <= existing
    for blob, plaintext in told.ciphertexts:
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext
    recorded = Counter(record.get("requestID") for record in server.audit_records())
    assert {recorded[request_id] for request_id in told.request_ids} == {1}


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
