"""One connection: what a call takes that nothing can share a sync with, beside one synced commit in SQLite.

A call cannot take less than that commit and a request's way there and back, which is what the bare loop takes.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from bench.commit import commit_seconds
from bench.figures import percentile, ratio, spread
from bench.setup import Row, Setup
from bench.targets import OPERATIONS, Target, bare_loop, ours

TITLE = "One connection: latency beside that of one synced SQLite commit of one row"
_COMMIT = "SQLite commit"


def measure(setup: Setup) -> Iterator[Row]:
    """A row for the commit, one for the bare loop and one for each operation, in turns."""
    with ExitStack() as stack:
        server = ours(stack, setup)
        bare = bare_loop(stack, setup, server)

        def commit() -> tuple[float, float]:
            with setup.on_servers():
                costs = sorted(commit_seconds(setup.directory, setup.seconds))
            return percentile(costs, 0.5) * 1e3, percentile(costs, 0.99) * 1e3

        def call(target: Target, operation: str) -> tuple[float, float]:
            run = target.load(operation, 1, setup.seconds)
            return run.p50_ms, run.p99_ms

        work: dict[str, Callable[[], tuple[float, float]]] = {_COMMIT: commit}
        work["bare loop"] = partial(call, bare, "Encrypt")
        work |= {operation: partial(call, server, operation) for operation in OPERATIONS}
        found = setup.in_turns(work)
        commits = [p50 for p50, _ in found[_COMMIT]]
        for name, turns in found.items():
            middles = [p50 for p50, _ in turns]
            row: Row = {"what": name}
            yield row | spread("p50 ms", middles) | spread("p99 ms", [p99 for _, p99 in turns]) | ratio("commit", middles, commits)  # fmt: skip
