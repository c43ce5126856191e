"""What a second worker process costs: both share the servers' core, so that only processor time per request can differ."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median

from bench.figures import spread
from bench.report import BUSY
from bench.setup import Row, Setup
from bench.targets import OPERATIONS, ours

TITLE = "Workers: server CPU for a request with one and with two, closed loop at 256 connections"
_CONNECTIONS = 256
_WORKERS = (1, 2)


def measure(setup: Setup) -> Iterator[Row]:
    """A row for each operation and number of workers."""
    with ExitStack() as stack:
        servers = {
            workers: ours(stack, setup, name=f"workers-{workers}", workers=workers) for workers in _WORKERS
        }
        for operation in OPERATIONS:
            found = setup.in_turns(
                {
                    workers: partial(target.load, operation, _CONNECTIONS, setup.seconds)
                    for workers, target in servers.items()
                }
            )
            alone = [run.cpu_us for run in found[1]]
            for workers, runs in found.items():
                costs = [run.cpu_us for run in runs]
                row: Row = {"operation": operation, "workers": workers}
                row |= spread("CPU µs", costs) | spread("req/s", [run.rate for run in runs])
                growth = median(cost / one - 1 for cost, one in zip(costs, alone, strict=True))
                yield row | {"growth %": growth * 100, BUSY: max(run.load_busy for run in runs)}
