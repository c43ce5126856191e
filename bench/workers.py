"""What a second worker process costs: both share the servers' core, so that only processor time per request can differ."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import NamedTuple

from bench.figures import spread
from bench.load import Measured
from bench.report import BUSY
from bench.servers import cpu_seconds
from bench.setup import Row, Setup
from bench.targets import OPERATIONS, Target, ours

TITLE = "Workers: server CPU for a request with one and with two, closed loop at 256 connections"
_CONNECTIONS = 256
_WORKERS = (1, 2)


class Shared(NamedTuple):
    """What came of a load, and the share of the workers' processor time that the least busy one used."""

    run: Measured
    least: float


def measure(setup: Setup) -> Iterator[Row]:
    """A row for each operation and number of workers."""
    with ExitStack() as stack:
        servers = {
            workers: ours(stack, setup, name=f"workers-{workers}", workers=workers) for workers in _WORKERS
        }
        for operation in OPERATIONS:
            found = setup.in_turns(
                {workers: partial(_loaded, setup, target, operation) for workers, target in servers.items()}
            )
            alone = [one.run.cpu_us for one in found[1]]
            for workers, ones in found.items():
                costs = [one.run.cpu_us for one in ones]
                row: Row = {"operation": operation, "workers": workers}
                row |= spread("CPU µs", costs) | spread("req/s", [one.run.rate for one in ones])
                growth = median(cost / other - 1 for cost, other in zip(costs, alone, strict=True))
                row |= {"growth %": growth * 100, "least busy worker %": min(one.least for one in ones) * 100}
                yield row | {BUSY: max(one.run.load_busy for one in ones)}


def _loaded(setup: Setup, target: Target, operation: str) -> Shared:
    _, *workers = target.server.pids()
    before = [cpu_seconds([pid]) for pid in workers]
    run = target.load(operation, _CONNECTIONS, setup.seconds)
    used = [cpu_seconds([pid]) - since for pid, since in zip(workers, before, strict=True)]
    return Shared(run, min(used) / sum(used))
