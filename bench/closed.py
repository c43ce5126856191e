"""Closed loop: each connection sends its next request when the last one is answered.

Ours, moto, the bare loop and Redis take turns at each number of connections. The bare loop is sent our Encrypt requests.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median

from bench.figures import ratio, spread
from bench.load import Measured
from bench.redis_set import redis_set
from bench.report import BUSY
from bench.setup import Row, Setup
from bench.targets import OPERATIONS, bare_loop, moto, ours

TITLE = "Closed loop: ours beside the bare loop, Redis SET (appendfsync always) and moto"
_OURS = "kms-server"
_BARE, _REDIS = ("Encrypt", "bare loop"), ("SET", "redis")


def measure(setup: Setup) -> Iterator[Row]:
    """For each number of connections the references, then ours and moto for each operation."""
    with ExitStack() as stack:
        server = ours(stack, setup)
        others = moto(stack, setup, (server.access_key_id, server.secret))
        bare, store = bare_loop(stack, setup, server), redis_set(stack, setup)
        for connections in setup.connections:
            work: dict[tuple[str, str], Callable[[], Measured]] = {
                _BARE: partial(bare.load, "Encrypt", connections, setup.seconds),
                _REDIS: partial(store.load, "Encrypt", connections, setup.seconds),
            }
            for operation in OPERATIONS:
                work[operation, _OURS] = partial(server.load, operation, connections, setup.seconds)
                work[operation, "moto"] = partial(others.load, operation, connections, setup.seconds)
            yield from _rows(connections, setup.in_turns(work))


def _rows(connections: int, found: dict[tuple[str, str], list[Measured]]) -> Iterator[Row]:
    rates = {who: [run.rate for run in runs] for who, runs in found.items()}
    for (operation, server), runs in found.items():
        row: Row = {"conns": connections, "operation": operation, "server": server}
        row |= spread("req/s", rates[operation, server])
        row |= {"p50 ms": median(run.p50_ms for run in runs)} | spread("p99 ms", [run.p99_ms for run in runs])
        row |= {"CPU µs": median(run.cpu_us for run in runs), BUSY: max(run.load_busy for run in runs)}
        if server == _OURS:
            for name, reference in (("bare", _BARE), ("redis", _REDIS), ("moto", (operation, "moto"))):
                row |= ratio(name, rates[operation, server], rates[reference])
        yield row
