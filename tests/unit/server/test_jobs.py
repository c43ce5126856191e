"""Chores that one worker of a host does at a time."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import pytest

from kms_server.server.jobs import Jobs
from tests.unit.operations.service import Service
from tests.unit.server.door_server import eventually


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Jobs, Jobs, SimpleQueue[str]]]:
    """Two workers with the same chore, which has no end, and who has done a step of it."""
    service = Service(tmp_path / "data")
    own, done = service._worker.jobs, SimpleQueue[str]()

    def worker(name: str) -> Jobs:
        def steps() -> Iterator[None]:
            while True:
                done.put(name)
                yield

        return Jobs(own._state, own._keyring, own._reserve, {"endless": [steps]})

    one, other = worker("one"), worker("other")
    yield one, other, done
    one.close()
    other.close()
    service.close()


def test_whoever_stopped_in_the_middle_is_followed_when_he_is_through(
    both: tuple[Jobs, Jobs, SimpleQueue[str]],
) -> None:
    one, other, done = both
    one.start()
    assert done.get(timeout=20) == "one"
    one.stop()
    other.finish("endless", 0)
    one.finish("endless", 0)
    one.close()
    other.finish("endless", 0)
    steps = [done.get() for _ in range(done.qsize())]
    assert steps == ["one"] * (len(steps) - 1) + ["other"]


def test_sealing_stands_back_for_requests(both: tuple[Jobs, Jobs, SimpleQueue[str]]) -> None:
    jobs, _, _ = both
    jobs.start()
    (sealing,) = [
        thread for thread in threading.enumerate() if thread.name == "sealing" and thread in jobs._threads
    ]
    niceness = partial(os.getpriority, os.PRIO_PROCESS)
    eventually(lambda: niceness(sealing.native_id or 0) > niceness(0))
    jobs.stop()
