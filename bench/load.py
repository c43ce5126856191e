"""A closed-loop load generator: N keep-alive connections, each sends its next request when the last is answered.

A warm-up tells how many requests the measured window will take; then so many are signed, each at its own time and
with an invocation id of its own, and none is sent twice. A server that checks no signature may get the same ones
again. One thread, raw sockets, epoll: the generator must keep up with the bare loop, or it flatters whatever stands
beside it. Reads a job as JSON, prints what it measured as JSON.
"""

import gc
import json
import select
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

from bench.signing import Signer

_WARM_UP_REQUESTS = 2_000
_HEADROOM = 1.5
_STALL_SECONDS = 30.0


@dataclass(frozen=True)
class Job:
    """What to send where, for how long (seconds), over how many connections; `fresh`: no request is sent twice."""

    url: str
    operation: str
    bodies: list[str]
    access_key_id: str
    secret: str = field(repr=False)
    connections: int
    seconds: float
    fresh: bool


class Connection:
    """A connection with at most one request under way; answers end by their Content-Length."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._buffer = b""
        self.socket = self._connected()
        self.sent = 0.0

    def _connected(self) -> socket.socket:
        made = socket.create_connection(self._address)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def reconnect(self) -> None:
        """Connect anew where the server closes after each answer."""
        self.socket.close()
        self.socket = self._connected()

    def send(self, request: bytes, now: float) -> None:
        """Send one request whose latency counts from `now`."""
        self.sent = now
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """Read what came: the whole answer once it is complete, else None.

        Raises:
            ConnectionError: the server closed within an answer.
        """
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError(f"closed after {len(self._buffer)} bytes of an answer")
        answer = self._buffer + data if self._buffer else data
        end = answer.find(b"\r\n\r\n")
        if end >= 0:
            head = answer[:end].lower()
            _, _, length = head.partition(b"\r\ncontent-length:")
            if len(answer) >= end + 4 + int(length.partition(b"\r\n")[0]):
                self._buffer = b""
                return answer
        self._buffer = answer
        return None


class Load:
    """All connections of a job."""

    def __init__(self, address: tuple[str, int], connections: int) -> None:
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self.errors: list[str] = []
        for _ in range(connections):
            self._watch(Connection(address))

    def _watch(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        self._connections[descriptor] = connection
        self._epoll.register(descriptor, select.EPOLLIN)

    def run(self, requests: Iterable[bytes], seconds: float) -> tuple[list[float], float]:
        """Keep every connection busy for so long, or until the requests are used up.

        Gives the latencies of the answers within that time and the time, all in seconds.
        """
        supply, clock = iter(requests), time.perf_counter
        latencies: list[float] = []
        begin = clock()
        end = begin + seconds
        for connection, request in zip(self._connections.values(), supply, strict=False):
            connection.send(request, clock())
        waiting = len(self._connections)
        while waiting:
            for connection, answer in self._answers():
                now = clock()
                if now < end:
                    latencies.append(now - connection.sent)
                if b"\r\nconnection: close" in answer[:400].lower():
                    self._reconnect(connection)
                request = next(supply, b"") if now < end else b""
                if request:
                    connection.send(request, now)
                else:
                    end = min(end, now)
                    waiting -= 1
        return latencies, end - begin

    def _answers(self) -> Iterator[tuple[Connection, bytes]]:
        """The answers that are complete; waits for the first bytes of one."""
        events = self._epoll.poll(_STALL_SECONDS)
        if not events:
            raise TimeoutError(f"no answer within {_STALL_SECONDS:g} s")
        for descriptor, _ in events:
            connection = self._connections[descriptor]
            answer = connection.receive()
            if answer is not None:
                if not answer.startswith(b"HTTP/1.1 200"):
                    self.errors.append(answer[:600].decode("latin-1"))
                yield connection, answer

    def _reconnect(self, connection: Connection) -> None:
        del self._connections[connection.socket.fileno()]
        connection.reconnect()
        self._watch(connection)


def measure(job: Job) -> dict[str, Any]:
    """Warm up for a third of the time, sign, then measure."""
    parts = urlsplit(job.url)
    load = Load((parts.hostname or "", parts.port or 80), job.connections)
    signer = Signer(job.url, job.operation, job.access_key_id, job.secret)
    requests = list(signer.requests(job.bodies, _WARM_UP_REQUESTS))
    warmed, warm_up = load.run(cycle(requests), job.seconds / 3)
    if job.fresh:
        expected = len(warmed) / warm_up * job.seconds
        requests = list(signer.requests(job.bodies, int(expected * _HEADROOM) + _WARM_UP_REQUESTS))
    # Collecting the generator's own garbage would count as the server's latency.
    gc.freeze()
    gc.disable()
    busy = time.process_time()
    latencies, elapsed = load.run(requests if job.fresh else cycle(requests), job.seconds)
    busy = time.process_time() - busy
    cuts = quantiles(latencies, n=100)
    return {
        "rate": round(len(latencies) / elapsed, 1),
        "p50_ms": round(cuts[49] * 1000, 3),
        "p99_ms": round(cuts[98] * 1000, 3),
        "answers": len(warmed) + len(latencies),
        "load_busy": round(busy / elapsed, 2),
        "errors": len(load.errors),
        "first_error": load.errors[0] if load.errors else "",
    }


if __name__ == "__main__":
    print(json.dumps(measure(Job(**json.loads(sys.stdin.read())))))
