"""No call sent after the answer to DisableKey was received acts on the old state."""

import multiprocessing
import multiprocessing.synchronize
import time
from collections.abc import Callable
from multiprocessing.queues import Queue

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import Access, ServerProcess, StartServer

ROUNDS = 25  # by the API, and as many by the command line
CLIENTS = 8


def hammer(
    access: Access,
    key: str,
    stop: "multiprocessing.synchronize.Event",
    sent: "Queue[list[tuple[float, float, bool]]]",
) -> None:
    """Encrypt without pause; report when each call was sent and answered, and whether it succeeded."""
    kms = access.client("kms")
    calls = []
    while not stop.is_set():
        start = time.monotonic()
        try:
            kms.encrypt(KeyId=key, Plaintext=b"x")
            calls.append((start, time.monotonic(), True))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "DisabledException"
            calls.append((start, time.monotonic(), False))
    sent.put(calls)


def rounds(server: ServerProcess, disable: Callable[[str], object], enable: Callable[[str], object]) -> None:
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    context = multiprocessing.get_context("spawn")
    stop, sent = context.Event(), context.Queue()
    clients = [context.Process(target=hammer, args=(server.access, key, stop, sent)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(3)
    disabled = []
    for _ in range(ROUNDS):
        disable(key)
        answered = time.monotonic()
        time.sleep(0.15)
        disabled.append((answered, time.monotonic()))
        enable(key)
        time.sleep(0.05)
    stop.set()
    calls = [call for _ in clients for call in sent.get(timeout=60)]
    for client in clients:
        client.join()
    # A call answered after the key was enabled again may rightly have succeeded.
    during = [ok for start, finish, ok in calls for begin, end in disabled if begin < start and finish < end]
    assert len(during) > ROUNDS, "the clients were too slow to show anything"
    assert not any(during)
    assert any(ok for _, _, ok in calls)


@pytest.mark.timeout(240)
def test_by_the_api(start_server: StartServer) -> None:
    server = start_server(workers=2)
    kms = server.client("kms")
    rounds(server, lambda key: kms.disable_key(KeyId=key), lambda key: kms.enable_key(KeyId=key))


@pytest.mark.timeout(240)
def test_by_the_command_line(start_server: StartServer) -> None:
    """The command line has no DisableKey: deleting an access key is its change of state."""
    server = start_server(workers=2)
    for _ in range(ROUNDS):
        access = server.new_access_key()
        kms = access.client("kms")
        for _ in range(4):
            kms.list_keys()
        server.cli("identity", "delete-key", access.access_key_id)
        for _ in range(4):
            with pytest.raises(ClientError) as refused:
                kms.list_keys()
            assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"
