"""A program of several processes on one bucket file; prints what the tests judge as JSON.

It forks, so it runs apart from the process of the test suite, which has threads.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from kms_server.quotas.buckets import Bucket, Buckets

_SLOTS = 64
_moment = threading.local()


def recording_clock() -> int:
    """CLOCK_MONOTONIC; remembers for the calling thread what it told the bucket."""
    _moment.now = time.monotonic_ns()
    return int(_moment.now)


def in_child(work: Callable[[], object]) -> tuple[int, int]:
    """Run `work` in a forked child; its pid and the descriptor on which its result comes, as JSON."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        os.close(reading)
        with os.fdopen(writing, "w") as file:
            json.dump(work(), file)
        status = 0
    finally:
        os._exit(status)


def result(child: tuple[int, int]) -> object:
    pid, reading = child
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def press(buckets: Buckets, bucket: Bucket, until: float) -> list[int]:
    """Take at full speed from two threads; the times of admission."""
    admitted: list[int] = []

    def run() -> None:
        while time.monotonic() < until:
            if buckets.take([bucket]) > 0:
                admitted.append(_moment.now)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return admitted


def hammer(path: Path, opened_before: bool, rate: float, burst: float, seconds: float) -> object:
    """Admissions of four processes, each with two threads, that opened the file before or after the fork."""
    shared = Buckets(path, _SLOTS, recording_clock) if opened_before else None
    bucket = Bucket.of("a", rate, burst)
    until = time.monotonic() + seconds

    def work() -> list[int]:
        return press(shared or Buckets(path, _SLOTS, recording_clock), bucket, until)

    return [result(child) for child in [in_child(work) for _ in range(4)]]


def deadly(bucket: Bucket) -> Sequence[Bucket]:
    """A bucket, then death: `take` has written the first and holds the lock when it asks for the second."""

    def run() -> Iterator[Bucket]:
        yield bucket
        os.kill(os.getpid(), signal.SIGKILL)

    return cast("Sequence[Bucket]", run())


def drained(buckets: Buckets, bucket: Bucket) -> int:
    """How many takes pass before one is refused."""
    count = 0
    while buckets.take([bucket]) > 0:
        count += 1
    return count


def die_holding(path: Path, rounds: int) -> object:
    """Children die within a take; then the tokens left are counted."""
    bucket = Bucket.of("a", 1e-3, rounds + 10)
    here = Buckets(path, _SLOTS)
    for _ in range(rounds):
        pid, reading = in_child(lambda: Buckets(path, _SLOTS).take(deadly(bucket)))
        os.waitpid(pid, 0)
        os.close(reading)
    return drained(here, bucket)


def die_anywhere(path: Path, rounds: int, rate: float, burst: float) -> object:
    """Two processes press while others press and are killed at random moments; the survivors' admissions."""
    bucket, other = Bucket.of("a", rate, burst), Bucket.of("b", 1e9, 1e6)
    until = time.monotonic() + rounds * 0.012
    survivors = [
        in_child(lambda: press(Buckets(path, _SLOTS, recording_clock), bucket, until)) for _ in range(2)
    ]

    def forever() -> None:
        buckets = Buckets(path, _SLOTS)
        while True:
            buckets.take([other, bucket])

    kills = 0
    while time.monotonic() < until:
        pid, reading = in_child(forever)
        time.sleep(random.uniform(0.0, 0.01))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reading)
        kills += 1
    return {"kills": kills, "survivors": [result(child) for child in survivors]}


def parent_dies(path: Path) -> object:
    """A process forks after it opened the file, then dies within a take; the tokens its child gets."""

    def family() -> int:
        bucket, shared, parent = Bucket.of("a", 1e-3, 5), Buckets(path, _SLOTS), os.getpid()
        if os.fork():
            shared.take(deadly(bucket))
        while os.getppid() == parent:
            time.sleep(0.001)
        return drained(shared, bucket)

    return result(in_child(family))


if __name__ == "__main__":
    scenario, path, *numbers = sys.argv[1:]
    sys.stdout.write(json.dumps(globals()[scenario](Path(path), *json.loads(f"[{','.join(numbers)}]"))))
