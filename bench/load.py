"""The load generator, a process of its own: reads a job as JSON, prints what it measured as JSON.

A warm-up tells how many requests a closed loop will take; then so many are signed, each at its own time and with an
invocation id of its own, and none is sent twice. A server that checks no signature may get the same ones again.
"""

import gc
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import cycle
from urllib.parse import urlsplit

from bench import closed_loop, open_loop
from bench.connections import Connection, Connections, RedisConnection
from bench.figures import percentile
from bench.servers import cpu_seconds
from bench.signing import Signer

_WARM_UP_REQUESTS = 2_000
_HEADROOM = 1.5


@dataclass(frozen=True)
class Job:
    """What to send where, for how long (seconds), over how many connections; `fresh`: no request is sent twice.

    With a `rate` (a second) it is an open loop. Where the URL is Redis's, the bodies are stored under keys of their own.
    `pids` are the server's processes.
    """

    url: str
    operation: str
    bodies: list[str]
    access_key_id: str
    secret: str = field(repr=False)
    connections: int
    seconds: float
    fresh: bool
    pids: list[int]
    rate: float | None = None


@dataclass(frozen=True)
class Measured:
    """What came of a job: answers a second and percentiles of latencies in ms.

    `cpu_us` is the processor time of the server for an answer, in microseconds; `load_busy` is the share of the time in
    which the generator had something to do. Of an open loop `late_ms` is the 99th percentile of how late the generator
    itself was, and `crowded` the share of requests that had to wait for a connection.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    most_ms: float
    load_busy: float
    errors: list[str]
    cpu_us: float = 0.0
    late_ms: float = 0.0
    crowded: float = 0.0


class Supply:
    """The requests of a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._signer = Signer(job.url, job.operation, job.access_key_id, job.secret)
        self._few = self._made(_WARM_UP_REQUESTS)

    def _made(self, count: int) -> list[bytes]:
        if urlsplit(self._job.url).scheme == "redis":
            return [
                _set(number, body)
                for number, body in zip(range(count), cycle(self._job.bodies), strict=False)
            ]
        return list(self._signer.requests(self._job.bodies, count))

    def warm(self) -> Iterator[bytes]:
        """Requests without end; they repeat."""
        return cycle(self._few)

    def at_least(self, count: int) -> list[bytes]:
        """So many requests, and no request twice where that matters."""
        if self._job.fresh:
            return self._made(count)
        return self._few * (count // len(self._few) + 1)


def _set(number: int, value: str) -> bytes:
    key = f"key:{number:08}"
    return f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${len(value)}\r\n{value}\r\n".encode()


def measure(job: Job) -> Measured:
    """Warm up for a third of the time, make requests, then measure."""
    parts = urlsplit(job.url)
    kind = RedisConnection if parts.scheme == "redis" else Connection
    connections = Connections(kind, (parts.hostname or "", parts.port or 80), job.connections)
    supply = Supply(job)
    warmed = closed_loop.run(connections, supply.warm(), job.seconds / 3)
    rate = job.rate or len(warmed.latencies) / warmed.seconds * _HEADROOM
    requests = supply.at_least(int(rate * job.seconds) + _WARM_UP_REQUESTS)
    # Collecting the generator's own garbage would count as the server's latency.
    gc.freeze()
    gc.disable()
    before = cpu_seconds(job.pids)
    if job.rate is None:
        measured, answers = _closed(connections, requests, job.seconds)
    else:
        measured, answers = _open(connections, requests[: int(rate * job.seconds)], rate)
    return replace(measured, cpu_us=(cpu_seconds(job.pids) - before) / answers * 1e6)


def _closed(connections: Connections, requests: list[bytes], seconds: float) -> tuple[Measured, int]:
    done = closed_loop.run(connections, requests, seconds)
    return Measured(
        rate=len(done.latencies) / done.seconds, **_percentiles(done.latencies),
        load_busy=done.busy / done.seconds, errors=connections.errors,
    ), done.answers  # fmt: skip


def _open(connections: Connections, requests: list[bytes], rate: float) -> tuple[Measured, int]:
    done = open_loop.run(connections, requests, rate)
    return Measured(
        rate=len(requests) / done.seconds, **_percentiles(done.latencies),
        load_busy=done.busy / done.seconds, errors=connections.errors,
        late_ms=percentile(sorted(done.lateness), 0.99) * 1e3, crowded=done.crowded / len(requests),
    ), len(requests)  # fmt: skip


def _percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999, "most_ms": 1.0}
    return {name: percentile(ordered, share) * 1e3 for name, share in shares.items()}


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Job(**json.loads(sys.stdin.read()))))))
