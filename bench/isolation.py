"""What work beside them does to warm calls: Encrypt in an open loop, alone and beside each kind of other work, in turns."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from statistics import median

from bench.disturbance import BUCKET, KINDS, OBJECT_BYTES, Caller, Job
from bench.figures import ratio, spread
from bench.load import Measured
from bench.setup import Row, Setup
from bench.targets import Target, ours

TITLE = "Isolation: latency of Encrypt at 500 a second, alone and beside other work on the same worker"
PERCENTILES = {"p50 ms": "p50_ms", "p99 ms": "p99_ms", "p99.9 ms": "p999_ms"}
_RATE = 500.0
_ALONE = "alone"
_CONNECTIONS = 16
_LONGER = 2  # than a closed loop takes: a thousandth must be several answers
_AT_ONCE = 3
_KEYS = 300


def measure(setup: Setup) -> Iterator[Row]:
    """A row for each kind of work, and one for all of them together."""
    works = {kind: {kind: _AT_ONCE} for kind in KINDS} | {"all of these": dict.fromkeys(KINDS, 1)}
    with ExitStack() as stack:
        server = ours(stack, setup)
        _prepare(server)
        seconds = setup.seconds * _LONGER
        load = partial(server.load, "Encrypt", _CONNECTIONS, seconds, _RATE)
        done: dict[str, list[float]] = {name: [] for name in works}

        def beside(name: str) -> Measured:
            with _disturbances(setup, server, works[name]) as counts:
                found = load()
            done[name].append(sum(counts) / seconds)
            return found

        turns = setup.in_turns({_ALONE: load} | {name: partial(beside, name) for name in works})
    alone = turns.pop(_ALONE)
    for name, runs in turns.items():
        yield _row(name, alone, runs) | {"done a second": median(done[name])}


def _row(name: str, alone: list[Measured], beside: list[Measured]) -> Row:
    row: Row = {"beside": name}
    for column, member in PERCENTILES.items():
        without, within = ([getattr(run, member) for run in runs] for runs in (alone, beside))
        row |= {f"{column} alone": median(without)} | spread(column, within)
        row |= ratio(f"{column.partition(' ')[0]} alone", within, without)
    return row


@contextmanager
def _disturbances(setup: Setup, server: Target, work: dict[str, int]) -> Iterator[list[int]]:
    """Have work done beside the block, where it has begun; how often it was done is known after it."""
    counts: list[int] = []
    with ExitStack() as stack:
        with setup.on_servers():
            workers = [
                stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-m", "bench.disturbance"], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, text=True,
                    )
                )
                for times in work.values()
                for _ in range(times)
            ]  # fmt: skip
        kinds = [kind for kind, times in work.items() for _ in range(times)]
        for number, (worker, kind) in enumerate(zip(workers, kinds, strict=True)):
            assert worker.stdin is not None
            job = Job(kind, server.server.url, server.access_key_id, server.secret, number)
            worker.stdin.write(json.dumps(asdict(job)) + "\n")
            worker.stdin.flush()
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        yield counts
        for worker in workers:
            output, _ = worker.communicate()
            counts.append(int(output))


def _prepare(server: Target) -> None:
    """Keys to list, records to look up, an object to get."""
    caller = Caller(Job("", server.server.url, server.access_key_id, server.secret))
    for _ in range(_KEYS):
        caller.call("kms", "CreateKey")
    caller.transfer("PUT", f"/{BUCKET}")
    caller.transfer("PUT", f"/{BUCKET}/down", OBJECT_BYTES)
