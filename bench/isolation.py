"""What work beside them does to warm calls: Encrypt in an open loop, alone and beside each kind of other work, in turns."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial

from bench.disturbance import BUCKET, KINDS, OBJECT_BYTES, Caller, Job
from bench.figures import ratio, spread
from bench.setup import Row, Setup
from bench.targets import Run, Target, ours

TITLE = "Isolation: latency of Encrypt at 500 a second, alone and beside other work on the same worker"
PERCENTILES = {"p50 ms": "p50_ms", "p99 ms": "p99_ms", "p99.9 ms": "p999_ms"}
_RATE = 500.0
_CONNECTIONS = 16
_LONGER = 3  # than a closed loop takes: a thousandth must be several answers
_AT_ONCE = 3
_KEYS = 300


def measure(setup: Setup) -> Iterator[Row]:
    """A row for each kind of work, and one for all of them together."""
    with ExitStack() as stack:
        server = ours(stack, setup)
        _prepare(server)
        seconds = setup.seconds * _LONGER
        alone = partial(server.load, "Encrypt", _CONNECTIONS, seconds, _RATE)
        works = {kind: {kind: _AT_ONCE} for kind in KINDS} | {"all of these": dict.fromkeys(KINDS, 1)}
        for name, work in works.items():
            done: list[float] = []
            turns = setup.in_turns(
                {"alone": alone, "beside": partial(_beside, setup, server, work, alone, done)}
            )
            yield _row(name, turns["alone"], turns["beside"]) | spread("done a second", done)


def _row(name: str, alone: list[Run], beside: list[Run]) -> Row:
    row: Row = {"beside": name}
    for column, member in PERCENTILES.items():
        without, within = ([getattr(run, member) for run in runs] for runs in (alone, beside))
        row |= spread(f"{column} alone", without) | spread(column, within) | ratio(column, within, without)
    return row


def _beside(
    setup: Setup, server: Target, work: dict[str, int], load: "partial[Run]", done: list[float]
) -> Run:  # fmt: skip
    with _disturbances(setup, server, work) as counts:
        run = load()
    done.append(sum(counts) / (setup.seconds * _LONGER))
    return run


@contextmanager
def _disturbances(setup: Setup, server: Target, work: dict[str, int]) -> Iterator[list[int]]:
    """Have work done beside the block; how often it was done is known after it."""
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
