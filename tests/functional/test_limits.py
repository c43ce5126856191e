"""Rate limits hold over all workers; throttled calls are in the log."""

import os
import time
from multiprocessing.queues import Queue

import pytest
from botocore.exceptions import ClientError

from tests.functional.processes import CONTEXT
from tests.functional.server_process import Access, StartServer

RATE = int(os.environ.get("KMS_TEST_RATE", "60"))  # the clients must be faster, on a slow machine too
BURST, SECONDS = RATE // 10, 5


def press(access: Access, key: str, until: float, done: "Queue[list[tuple[float, float]]]") -> None:
    """Encrypt at full speed; report when each success was sent and answered."""
    kms = access.client("kms")
    answered = []
    while time.monotonic() < until:
        start = time.monotonic()
        try:
            kms.encrypt(KeyId=key, Plaintext=b"x")
            answered.append((start, time.monotonic()))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottlingException"
    done.put(answered)


@pytest.mark.timeout(120)
def test_a_keys_limit_holds_over_two_workers(start_server: StartServer) -> None:
    server = start_server(workers=2)
    kms = server.client("kms")
    limited = kms.create_key()["KeyMetadata"]["KeyId"]
    free = kms.create_key()["KeyMetadata"]["KeyId"]
    server.cli("quota", "set", "--key", limited, "--rate", str(RATE), "--burst", str(BURST))
    done = CONTEXT.Queue()
    until = time.monotonic() + SECONDS + 1
    clients = [CONTEXT.Process(target=press, args=(server.access, limited, until, done)) for _ in range(4)]
    for client in clients:
        client.start()
    while time.monotonic() < until:
        kms.encrypt(KeyId=free, Plaintext=b"x")
        time.sleep(0.02)
    calls = sorted(call for _ in clients for call in done.get(timeout=60))
    for client in clients:
        client.join()
    # A call was admitted between being sent and being answered: only those wholly inside a second surely count to it.
    for begin, _ in calls:
        assert sum(begin <= start and finish <= begin + 1 for start, finish in calls) <= RATE + BURST
    span = max(finish for _, finish in calls) - calls[0][0]
    assert len(calls) <= RATE * span + BURST + 1
    assert len(calls) >= RATE * span * 0.5, "the load never reached the limit"
    recorded = [
        record for record in server.audit_records() if record.get("errorCode") == "ThrottlingException"
    ]
    assert recorded


@pytest.mark.timeout(120)
def test_one_client_in_standard_mode_finishes(start_server: StartServer) -> None:
    server = start_server(workers=2)
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    server.cli("quota", "set", "--key", key, "--rate", "200")
    kms = server.client("kms", max_attempts=10)
    for _ in range(1_000):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    codes = [record.get("errorCode") for record in server.audit_records() if record["eventName"] == "Encrypt"]
    assert codes.count(None) == 1_000
    assert codes.count("ThrottlingException") == len(codes) - 1_000
