"""Threads for work that may wait for the storage, whose clients have an answer in time all the same."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Generic, TypeVar

from kms_server.errors import KMSInternalException
from kms_server.storage.waits import Waits

# The niceness of work that may take long: the event loop and the commits of records, which wake up often and for a short
# time, then need not wait for the end of its time slices. More would not help, and where other processes want the
# processor it would hold up whoever waits for the interpreter.
PATIENT = 5
# How often somebody who waits for work looks whether it is late.
_LOOK_SECONDS = 0.25
Result = TypeVar("Result")


class Errand(Generic[Result]):
    """A piece of work that was given to threads; `future` has what becomes of it.

    It does not hold the work, nor the future it: what refers to itself stays until the collector comes, which keeps all calls
    waiting the longer the more there is of it.
    """

    def __init__(self, work: Callable[[], Result], threads: "Threads") -> None:
        self._threads = threads
        self._thread: int | None = None
        threads.under_way.add(self)  # type: ignore[arg-type]  # nobody asks for its result there
        self.future: Future[Result] = threads.pool.submit(self._run, work)

    def _run(self, work: Callable[[], Result]) -> Result:
        self._thread = threading.get_ident()
        try:
            return work()
        finally:
            self._thread = None
            self._threads.under_way.discard(self)
            # An exception refers to this frame, and the future to the exception.
            del self, work

    @property
    def is_begun(self) -> bool:
        """Whether a thread has taken it and is not done with it."""
        return self._thread is not None

    @property
    def is_held(self) -> bool:
        """Whether the storage has kept its thread for too long."""
        thread = self._thread
        return thread is not None and self._threads.waits.is_late(thread)

    @property
    def is_late(self) -> bool:
        """Whether the storage keeps it, or all threads that could begin it, for too long."""
        if self.future.done():
            return False
        return self.is_held if self.is_begun else self._threads.is_stuck

    def leave(self) -> None:
        """Nobody waits any more: it is not begun unless it was; then its thread stays behind."""
        if self.future.cancel():
            self._threads.under_way.discard(self)


class Threads:
    """A bounded number of threads, nicer by `nice` than their process; what they cannot take yet waits."""

    def __init__(self, most: int, name: str, waits: Waits, nice: int = 0) -> None:
        self.pool = ThreadPoolExecutor(most, thread_name_prefix=name, initializer=be_nice, initargs=(nice,))
        self.waits = waits
        self._most = most
        self.under_way: set[Errand[object]] = set()

    def start(self, work: Callable[[], Result]) -> Errand[Result]:
        """Have work done as soon as a thread is free."""
        return Errand(work, self)

    def run(self, work: Callable[[], Result]) -> Result:
        """Have work done and wait for it; for threads other than an event loop's.

        Raises:
            KMSInternalException: it is late, or the threads are stuck; the outcome is unknown.
        """
        if self.is_stuck:
            raise KMSInternalException
        errand = self.start(work)
        while not wait((errand.future,), _LOOK_SECONDS).done:
            if errand.is_late:
                errand.leave()
                raise KMSInternalException
        return errand.future.result()

    @property
    def is_stuck(self) -> bool:
        """Whether every thread is taken and the storage keeps one of them for too long: more work would only wait."""
        # A list is made in one step, whatever other threads do meanwhile.
        begun = [errand for errand in list(self.under_way) if errand.is_begun]
        return len(begun) >= self._most and any(errand.is_held for errand in begun)

    def close(self) -> None:
        """Wait for all work."""
        self.pool.shutdown()


def be_nice(nice: int) -> None:
    """Raise the niceness of this thread, which on Linux is its own, where the system lets it."""
    thread = threading.get_native_id()
    with suppress(OSError):  # not every sandbox does
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + nice)
