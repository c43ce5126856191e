"""Work of many calls that one thread does in batches, and what each call waits for."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from msgspec import Struct

_LOG = logging.getLogger(__name__)


class Ticket(Struct, eq=False):
    """Tells one call whether its part of a batch is done, or that it `failed`.

    It failed without any trace if what its call was decided on is `outdated`: the call may be decided again.
    `on_done` is called with the ticket once it is; it is set by the thread that settles the ticket, or by a thread that
    waits and looks at `done` afterwards.
    """

    done: bool = False
    failed: bool = False
    outdated: bool = False
    on_done: Callable[[Any], object] | None = None

    def settle(self, *, failed: bool = False) -> None:
        """Say that it is done."""
        self.failed = failed or self.outdated
        self.done = True
        if self.on_done is not None:
            self.on_done(self)

    def wait(self, seconds: float) -> bool:
        """Wait until it is done, and say whether it is; for threads other than the one that settles tickets."""
        settled = threading.Event()
        self.on_done = lambda _: settled.set()
        return self.done or settled.wait(seconds)


Item = TypeVar("Item")


class _Call(Enum):
    """What the thread is called for; it does what is pending in either case."""

    WORK = auto()
    END = auto()


class Batches(ABC, Generic[Item]):
    """One thread does what calls have submitted, at most `most` at a time, and looks in after `idle` seconds without any.

    The thread may set `idle` anew; None: it waits for work alone.

    A batch costs several changes of Python's lock, however small it is. `soon` puts the thread's waking off until an event
    loop has taken all that has arrived; `on_batch` receives what settles a batch, so that the loop is woken once for all
    its tickets. By themselves both run what they are given at once.
    """

    def __init__(self, name: str, most: int, idle: float | None = None) -> None:
        self._most = most
        self.idle = idle
        self._lock = threading.Lock()
        self._pending: list[Item] = []
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self.soon: Callable[[Callable[[], None]], object] = _at_once
        self.on_batch: Callable[[Callable[[], None]], object] = _at_once
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @abstractmethod
    def work(self, batch: list[Item]) -> Callable[[], None]:
        """Do a batch and return what settles its tickets; called in the thread, and must not raise."""

    def look_in(self) -> None:
        """Do what is due when no work comes; called in the thread, and must not raise."""

    def add(self, item: Item) -> None:
        """Take one item; never waits."""
        with self._lock:
            self._pending.append(item)
            count = len(self._pending)
        if count == 1:
            self.soon(self._wake)
        elif count == self._most:
            self._wake()

    def end(self) -> None:
        """Do what is pending and end."""
        self._calls.put(_Call.END)
        self._thread.join()

    def _wake(self) -> None:
        self._calls.put(_Call.WORK)

    def _run(self) -> None:
        call = _Call.WORK
        while call is not _Call.END:
            try:
                call = self._calls.get(timeout=self.idle)
            except Empty:
                self.look_in()
                continue
            with self._lock:
                pending, self._pending = self._pending, []
            for start in range(0, len(pending), self._most):
                self.on_batch(self.work(pending[start : start + self._most]))


def settle_each(tickets: Iterable[Ticket], *, failed: bool = False) -> None:
    """Settle tickets; what one call does with its own must not keep the others waiting."""
    for ticket in tickets:
        try:
            ticket.settle(failed=failed)
        except Exception as error:  # noqa: BLE001 - see above
            _LOG.error("a call failed after its batch: %s", type(error).__name__)


def _at_once(work: Callable[[], None]) -> None:
    work()
