"""Open loop: Encrypt requests are due at fixed times, at shares of the rate that a closed loop reaches right before.

Beside it stands the raw group commit at the same rates: what is left of the latency when all but the synced batch of
audit records is taken away.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median

from bench import raw_commit
from bench.figures import ratio, spread
from bench.load import Measured
from bench.raw_commit import Commits
from bench.report import BUSY
from bench.setup import Row, Setup
from bench.targets import ours

TITLE = "Open loop: latency of Encrypt from the time it was due, 256 connections, beside the raw group commit"
OURS, RAW = "kms-server", "raw group commit"
PERCENTILES = {"p50 ms": "p50_ms", "p99 ms": "p99_ms", "p99.9 ms": "p999_ms", "most ms": "most_ms"}
_CONNECTIONS = 256
_SHARES = {"1/4": 0.25, "1/2": 0.5, "3/4": 0.75}
_LONGER = 3  # than a closed loop takes: a thousandth must be several answers


def measure(setup: Setup) -> Iterator[Row]:
    """Two rows for each share of the peak, ours and the raw group commit's."""
    seconds = setup.seconds * _LONGER
    with ExitStack() as stack:
        server = ours(stack, setup)
        peaks = setup.in_turns({"peak": partial(server.load, "Encrypt", _CONNECTIONS, setup.seconds)})["peak"]
        peak = median(run.rate for run in peaks)
        for share, part in _SHARES.items():
            rate = peak * part
            work: dict[str, Callable[[], Measured | Commits]] = {
                OURS: partial(server.load, "Encrypt", _CONNECTIONS, seconds, rate),
                RAW: partial(raw_commit.measure, setup, rate, seconds),
            }
            found = setup.in_turns(work)
            for name, runs in found.items():
                row: Row = {"of peak": share, "req/s": round(rate), "what": name}
                for column, member in PERCENTILES.items():
                    row |= spread(column, [getattr(run, member) for run in runs])
                yield row | (_beside(runs, found[RAW]) if name == OURS else {})


def _beside(runs: list[Measured | Commits], raw: list[Measured | Commits]) -> Row:
    """How our latencies compare, how late the generator itself was, and how many requests found no connection free."""
    row: Row = {}
    for column, member in (("raw p99", "p99_ms"), ("raw p99.9", "p999_ms")):
        row |= ratio(column, [getattr(run, member) for run in runs], [getattr(run, member) for run in raw])
    loads = [run for run in runs if isinstance(run, Measured)]
    return row | {
        "load late p99 ms": max(run.late_ms for run in loads),
        "no conn. free %": max(run.crowded for run in loads) * 100,
        BUSY: max(run.load_busy for run in loads),
    }
