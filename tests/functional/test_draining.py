"""SIGTERM loses no call that the server took, and none at all of clients that a balancer sends elsewhere."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as Unreachable

from tests.functional.server_process import ServerProcess, StartServer
from tests.functional.strangers import HEALTH, Front
from tests.unit.server.door_server import read_answer


def address(server: ServerProcess) -> tuple[str, int]:
    return "127.0.0.1", int(server.url.rpartition(":")[2])


def readiness(server: ServerProcess) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(*address(server), timeout=20)
    connection.request("GET", "/_kms/ready")
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


class Caller(threading.Thread):
    """Calls on and on, and goes to the next server when one refuses the connection; what else fails is a lost call."""

    def __init__(self, calls: list[Callable[[], Any]]) -> None:
        super().__init__(daemon=True)
        self._calls = calls
        self.stopping = threading.Event()
        self.done = 0
        self.lost: list[str] = []

    def run(self) -> None:
        turns = cycle(self._calls)
        call = next(turns)
        while not self.stopping.is_set():
            try:
                call()
                self.done += 1
            except Unreachable as error:
                if "refused" not in str(error.kwargs.get("error")):
                    self.lost.append(repr(error))
                call = next(turns)
            except (ClientError, HTTPClientError) as error:
                self.lost.append(repr(error))


def test_no_call_is_lost_under_load(start_server: StartServer) -> None:
    leaving, staying = start_server("--drain-delay", "1.5"), start_server()
    callers = []
    for _ in range(4):
        calls: list[Callable[[], Any]] = []
        for server in (leaving, staying):
            kms = server.client("kms")
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            calls.append(partial(kms.encrypt, KeyId=key, Plaintext=b"x"))
        callers.append(Caller(calls))
    for caller in callers:
        caller.start()
    leaving.wait_for(lambda: all(caller.done > 5 for caller in callers))
    assert readiness(leaving)[0] == 200
    os.kill(leaving.pid, signal.SIGTERM)
    leaving.wait_for(lambda: readiness(leaving)[0] == 503, pause=0.01)
    status, told = readiness(leaving)
    assert (status, told["checks"]["draining"]["status"]) == (503, "failed")
    assert leaving.stop() == 0
    before = [caller.done for caller in callers]
    leaving.wait_for(
        lambda: all(caller.done > count + 5 for caller, count in zip(callers, before, strict=True))
    )
    for caller in callers:
        caller.stopping.set()
        caller.join()
    assert [caller.lost for caller in callers] == [[]] * 4
    # Every call was answered, and every answer has its record.
    leaving.restart()
    assert [record for record in leaving.audit_records() if record["eventName"] == "Encrypt"]


def test_whoever_stays_is_asked_to_leave_and_answered_meanwhile(start_server: StartServer) -> None:
    server = start_server("--drain-delay", "60", workers=1)
    with socket.create_connection(address(server), 30) as client:
        client.sendall(HEALTH)
        assert "connection" not in read_answer(client)[1]
        os.kill(server.pid, signal.SIGTERM)
        server.wait_for(lambda: readiness(server)[0] == 503)
        client.sendall(HEALTH)
        assert read_answer(client)[1]["connection"] == "close"
        assert client.recv(1) == b""
    # Whoever cannot wait says so.
    began = time.monotonic()
    os.kill(server.pid, signal.SIGINT)
    assert server.stop() == 0
    assert time.monotonic() - began < 20
    # Nobody asked for a line for each answer.
    assert "/_kms/" not in server.log.read_text()


def is_told_to_end(worker: int) -> bool:
    """Whether SIGTERM waits for a process that is paused."""
    status = Path(f"/proc/{worker}/status").read_text()
    pending = int(status.partition("ShdPnd:")[2].split()[0], 16)
    return bool(pending >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("options", [(), ("--tls-auto",)], ids=["plain", "tls"])
def test_whoever_came_before_the_end_is_answered_by_a_worker_that_had_no_time(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    front = Front(tmp_path, *options)
    server = front.server
    (worker,) = server.worker_pids()
    with front.connect() as kept, ThreadPoolExecutor(20) as threads:
        kept.sendall(HEALTH)
        assert read_answer(kept)[0] == 200
        os.kill(worker, signal.SIGSTOP)
        answered = [threads.submit(front.serves) for _ in range(20)]
        kept.sendall(HEALTH)
        server.wait_for(lambda: all(one.running() for one in answered), pause=0.01)
        time.sleep(1.1)  # longer than what has just connected is waited for
        os.kill(server.pid, signal.SIGTERM)
        server.wait_for(lambda: is_told_to_end(worker), pause=0.01)
        os.kill(worker, signal.SIGCONT)
        assert read_answer(kept)[0] == 200
        assert all(one.result() for one in answered)
    assert server.stop() == 0


def is_refused(front: Front) -> bool:
    """Whether nobody takes connections any more."""
    with socket.socket() as client:
        return client.connect_ex(front.address) != 0


def test_whoever_still_agrees_on_tls_at_the_end_is_answered(tmp_path: Path) -> None:
    front = Front(tmp_path, "--tls-auto")
    made = front.plain()
    assert front.serves()
    os.kill(front.server.pid, signal.SIGTERM)
    front.server.wait_for(lambda: is_refused(front), pause=0.01)
    time.sleep(0.3)
    with front.secured(made) as client:
        time.sleep(0.3)
        client.sendall(HEALTH)
        assert read_answer(client)[0] == 200
    assert front.server.stop() == 0


@pytest.mark.soak
def test_a_server_that_is_told_to_stop_while_it_still_starts_workers_stops(start_server: StartServer) -> None:
    """It would wait for a worker that was not told."""
    server = start_server("--graceful-timeout", "600", workers=8)
    for _ in range(20):
        assert server.stop() == 0
        server.restart()
