"""`make bench-stages`: what each step of a call costs one worker, in microseconds of processor time, without sockets.

Requests are taken through the steps 64 at a time, as the door does. The figures compare the machine with itself: run it before
and after a change, in turns.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from bench.in_process import InProcess
from kms_server.server.http_reader import Incoming
from kms_server.server.pipeline import Arrival, Outcome
from kms_server.server.worker import prepare_collector

_BATCH = 64
_WARM_UP = 20
_OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey")
Costs = dict[str, list[float]]


def run(bench: InProcess, operation: str, batches: int) -> Costs:
    """The cost of each step, per call, in microseconds, once per batch."""
    raw = iter(bench.requests(operation, batches * _BATCH))
    costs: Costs = {}
    for _ in range(batches):
        _batch(bench, list(islice(raw, _BATCH)), costs)
    return costs


def _batch(bench: InProcess, raw: Sequence[bytes], costs: Costs) -> None:
    def timed(name: str, step: Callable[[Any], Any], work: Sequence[Any]) -> list[Any]:
        begin = time.process_time_ns()
        done = [step(one) for one in work]
        costs.setdefault(name, []).append((time.process_time_ns() - begin) / 1e3 / _BATCH)
        return done

    def read(data: bytes) -> Incoming | None:
        bench.reader.receive(data)
        return bench.reader.take()

    def write(outcome: Outcome) -> bytes:
        return bench.writer.render(outcome.response, keep_alive=True, with_body=True)

    work: list[Any] = [
        Arrival(one.request, may_block=False) for one in timed("read HTTP", read, raw) if one is not None
    ]
    for stage in bench.state.pipeline.stages:
        work = timed(stage.__name__, stage, work)
    commit = bench.state.commit
    pending, commit._pending = commit._pending, []  # noqa: SLF001 - in the place of its thread
    timed("commit", lambda _: commit.work(pending)(), [None])
    timed("write HTTP", write, work)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=300, help="batches of 64 calls per operation")
    parser.add_argument("--directory", type=Path, default=Path(), help="where the data lie meanwhile")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        bench = InProcess(Path(directory) / "data")
        prepare_collector()
        for operation in _OPERATIONS:
            run(bench, operation, _WARM_UP)
            costs = {
                name: median(values) for name, values in run(bench, operation, arguments.batches).items()
            }
            steps = "  ".join(f"{name} {cost:.1f}" for name, cost in costs.items())
            print(f"{operation:16} {sum(costs.values()):6.1f} us = {steps}", flush=True)
        bench.close()


if __name__ == "__main__":
    main()
