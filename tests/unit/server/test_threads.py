"""Threads that the storage keeps: bounded, answered for, and back when it lets them go."""

import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from kms_server.errors import KMSInternalException
from kms_server.server.threads import Threads
from kms_server.storage.waits import Waits
from tests.unit.server.door_server import eventually


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_what_the_storage_keeps_is_answered_for(go_on: threading.Event) -> None:
    waits = Waits()
    waits.patience = 0.05
    threads = Threads(2, "test", waits)

    def keep() -> bool:
        with waits.noted():
            return go_on.wait(20)

    for _ in range(2):
        with pytest.raises(KMSInternalException):
            threads.run(keep)
    assert threads.is_stuck
    begun: list[bool] = []
    with pytest.raises(KMSInternalException):
        threads.run(lambda: begun.append(True))
    waiting = threads.start(lambda: begun.append(True))
    eventually(lambda: waiting.is_late)
    waiting.leave()
    go_on.set()
    eventually(lambda: not threads.is_stuck)
    assert threads.run(lambda: "fine") == "fine"
    threads.close()
    assert begun == []


def test_what_is_done_or_left_needs_no_collector(go_on: threading.Event) -> None:
    threads = Threads(1, "test", Waits())
    kept, left = threads.start(lambda: go_on.wait(20)), threads.start(int)
    gone: list[Callable[[], object]] = [weakref.ref(kept), weakref.ref(left), weakref.ref(left.future)]
    gc.disable()
    try:
        left.leave()
        go_on.set()
        kept.future.result()
        del kept, left
        threads.close()
        assert [one() for one in gone] == [None] * 3
    finally:
        gc.enable()
    assert not threads.under_way


def test_what_a_free_thread_is_about_to_begin_is_not_late(
    go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = Waits()
    waits.patience = 0.05
    threads = Threads(2, "test", waits)

    def keep() -> bool:
        with waits.noted():
            return go_on.wait(20)

    kept = threads.start(keep)
    eventually(lambda: kept.is_late)
    with monkeypatch.context() as context:
        context.setattr(threads.pool, "submit", lambda *_: Future[None]())
        about_to_begin = threads.start(lambda: None)
    assert not about_to_begin.is_late
    assert not threads.is_stuck
    go_on.set()
    threads.close()


def test_slow_work_is_not_late(go_on: threading.Event) -> None:
    waits = Waits()
    waits.patience = 0
    threads = Threads(1, "test", waits)
    slow = threads.start(lambda: go_on.wait(20))
    waiting = threads.start(lambda: 1)
    assert not slow.is_late
    assert not waiting.is_late
    assert not threads.is_stuck
    go_on.set()
    assert waiting.future.result(20) == 1
    threads.close()


def test_the_works_own_failure_is_its_own() -> None:
    threads = Threads(1, "test", Waits())

    def fail() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        threads.run(fail)
    threads.close()


def test_threads_for_long_work_are_nicer() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own = niceness()
    assert Threads(1, "test", Waits(), 3).run(niceness) == min(own + 3, 19)
    assert Threads(1, "test", Waits()).run(niceness) == niceness() == own
