"""The vigil: at the lowest priority, while calls come, and not where processor time is limited."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from kms_server.server.vigil import Vigil, is_metered

GROUPS = "12:pids:/x\n0::/system.slice/kms.service\n"


@pytest.fixture
def vigil() -> Iterator[Vigil]:
    kept = Vigil(0.3)
    yield kept
    kept.close()


def thread_of(name: str) -> threading.Thread:
    return next(one for one in threading.enumerate() if one.name == name)


def used(thread: threading.Thread) -> float:
    """Its processor time, in seconds."""
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def has_worked(thread: threading.Thread, before: float) -> bool:
    return used(thread) > before


def wait_for(condition: Callable[[], bool]) -> None:
    """Idle threads get little of a busy machine."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def has_come_to_rest(thread: threading.Thread) -> bool:
    before = used(thread)
    time.sleep(0.05)
    return used(thread) == before


def test_it_works_after_a_call_and_then_rests_until_the_next(vigil: Vigil) -> None:
    thread = thread_of("vigil")
    for _ in range(2):
        wait_for(lambda: has_come_to_rest(thread))
        before = used(thread)
        vigil.extend()
        wait_for(partial(has_worked, thread, before))
    wait_for(lambda: has_come_to_rest(thread))


def test_it_has_the_lowest_priority(vigil: Vigil) -> None:
    thread = thread_of("vigil")
    vigil.extend()
    assert thread.native_id is not None
    wait_for(lambda: os.sched_getscheduler(thread.native_id or 0) == os.SCHED_IDLE)
    assert os.sched_getscheduler(0) != os.SCHED_IDLE


def test_it_ends_in_the_middle(vigil: Vigil) -> None:
    thread = thread_of("vigil")
    vigil.extend()
    vigil.close()
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("place", "limit", "expected"),
    [
        ("system.slice/kms.service", "50000 100000", True),
        ("system.slice", "50000 100000", True),
        ("", "50000 100000", True),
        ("system.slice/kms.service", "max 100000", False),
        ("system.slice/other.service", "50000 100000", False),
    ],
)
def test_a_quota_of_the_group_or_of_one_around_it_counts(tmp_path: Path, place: str, limit: str, *, expected: bool) -> None:  # fmt: skip
    process, groups = tmp_path / "cgroup", tmp_path / "groups"
    process.write_text(GROUPS)
    for one in ("system.slice/kms.service", "system.slice/other.service"):
        (groups / one).mkdir(parents=True)
    (groups / place / "cpu.max").write_text(f"{limit}\n")
    assert is_metered(process, groups) is expected


def test_without_control_groups_nothing_is_metered(tmp_path: Path) -> None:
    assert not is_metered(tmp_path / "none", tmp_path)
