"""The raw group commit: records into a segment as the worker has them written, on its event loop and without HTTP.

It is a process of its own. Each byte on its standard input submits one record; a latency counts from there until the
ticket is settled, when a worker would write the answer. Prints a line when it is ready, and at the end what it measured
as JSON.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import uvloop

from bench.audit_rows import rows
from bench.figures import percentile
from bench.open_loop import Schedule
from bench.setup import Setup
from kms_server.audit.chain import ChainKey
from kms_server.audit.group_commit import GroupCommit
from kms_server.audit.segment_log import SegmentLog
from kms_server.batches import Ticket
from kms_server.config import Limits

_WARM_UP = 2_000
_COLLECT_AFTER = 10_000  # as in the worker


@dataclass(frozen=True)
class Commits:
    """Percentiles of the latencies of submitted records, in ms."""

    p50_ms: float
    p99_ms: float
    p999_ms: float
    most_ms: float


class Submissions(asyncio.Protocol):
    """Submits the next record for each byte that comes; `warm` when the first ones are settled, `done` when all are."""

    def __init__(self, commit: GroupCommit, count: int) -> None:
        self._commit = commit
        self._rows = list(rows(_WARM_UP + count))[::-1]  # the oldest is taken first, as event ids grow
        self._submitted = 0
        self._ended = False
        self.latencies: list[float] = []
        self.failed = 0
        self.warm, self.done = asyncio.Event(), asyncio.Event()

    def data_received(self, data: bytes) -> None:
        for _ in data:
            since = time.perf_counter()
            self._commit.submit(self._rows.pop()).on_done = partial(self._settled, since)
        self._submitted += len(data)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self._ended = True
        self._look()

    def _settled(self, since: float, ticket: Ticket) -> None:
        self.latencies.append(time.perf_counter() - since)
        self.failed += ticket.failed
        self._look()

    def _look(self) -> None:
        if len(self.latencies) == _WARM_UP:
            self.warm.set()
        if self._ended and len(self.latencies) == self._submitted:
            self.done.set()


async def serve(directory: Path, count: int) -> Commits:
    """Take records until no more come, `count` at most beside those that warm up."""
    loop = asyncio.get_running_loop()
    limits = Limits()
    log = SegmentLog(directory, limits, ChainKey(os.urandom(32)), ThreadPoolExecutor(1))
    commit = GroupCommit(log, limits)
    commit.soon = commit.on_batch = loop.call_soon_threadsafe
    submissions = Submissions(commit, count)
    await loop.connect_read_pipe(lambda: submissions, sys.stdin)
    await submissions.warm.wait()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    print("ready", flush=True)
    await submissions.done.wait()
    await loop.run_in_executor(None, commit.close)
    if submissions.failed:
        sys.exit(f"{submissions.failed} records could not be written")
    ordered = sorted(submissions.latencies[_WARM_UP:])
    return Commits(*(percentile(ordered, share) * 1e3 for share in (0.5, 0.99, 0.999, 1.0)))


def measure(setup: Setup, rate: float, seconds: float) -> Commits:
    """Have records submitted at a rate for so long, an open loop as of requests, in a directory that goes afterwards."""
    count = int(rate * seconds)
    with (
        tempfile.TemporaryDirectory(dir=setup.directory) as directory,
        setup.on_servers(),
        subprocess.Popen(
            [sys.executable, "-m", "bench.raw_commit", directory, str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(bytes(_WARM_UP))
        process.stdin.flush()
        process.stdout.readline()
        os.sched_setaffinity(0, setup.of_load)
        schedule, sent = Schedule(time.perf_counter(), rate, count), 0
        while sent < count:
            due = schedule.due(time.perf_counter())
            if due > sent:
                sent += os.write(process.stdin.fileno(), bytes(due - sent))
        process.stdin.close()
        return Commits(**json.loads(process.stdout.read()))


async def _main(directory: str, count: str) -> None:
    print(json.dumps(asdict(await serve(Path(directory), int(count)))))


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:]))
