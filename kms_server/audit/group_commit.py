"""Group commit: the concurrent calls of a worker share one durable write, and each waits for its own."""

import logging
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from queue import SimpleQueue
from typing import TypeAlias

from kms_server.audit.log import AuditLog
from kms_server.audit.record import Row
from kms_server.config import Limits
from kms_server.errors import KMSInternalException

_LOG = logging.getLogger(__name__)


class Ticket:
    """Tells one call whether its record is on disk.

    `on_done` is called once the ticket is resolved; it is set by the thread that resolves the ticket, or by a thread
    that waits and looks at `done` afterwards.
    """

    __slots__ = ("done", "failed", "on_done")

    def __init__(self) -> None:
        self.done = False
        self.failed = False
        self.on_done: Callable[[Ticket], None] | None = None

    def resolve(self, *, failed: bool) -> None:
        """Say how the write ended."""
        self.failed = failed
        self.done = True
        if self.on_done is not None:
            self.on_done(self)


def wait(ticket: Ticket, deadline: float) -> None:
    """Wait up to `deadline` seconds for a record to be on disk; for threads other than the one that resolves tickets.

    Raises:
        KMSInternalException: it could not be written, or not in time; the outcome is unknown.
    """
    resolved = threading.Event()
    ticket.on_done = lambda _: resolved.set()
    if not (ticket.done or resolved.wait(deadline)) or ticket.failed:
        raise KMSInternalException


Batch: TypeAlias = list[tuple[tuple[Row, ...], Ticket]]


class _Call(Enum):
    """What the committer is called for; it writes what is pending in either case."""

    WRITE = auto()
    END = auto()


class GroupCommit:
    """One committer thread writes the records that calls have submitted, and resolves their tickets.

    A batch costs a sync and several changes of Python's lock, however small it is. `soon` puts the committer's waking
    off until an event loop has taken all that has arrived; `on_batch` receives the resolution of a batch, so that the
    loop is woken once for all its tickets. By themselves both run what they are given at once.
    """

    def __init__(self, log: AuditLog, limits: Limits) -> None:
        self._log = log
        self._batch = limits.audit_batch
        self._deadline = limits.audit_deadline
        self._lock = threading.Lock()
        self._pending: Batch = []
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._writing_since: float | None = None
        self.last_error: str | None = None
        self.failed_at = 0.0
        self.soon: Callable[[Callable[[], None]], object] = _at_once
        self.on_batch: Callable[[Callable[[], None]], object] = _at_once
        self._thread = threading.Thread(target=self._run, name="audit commit", daemon=True)
        self._thread.start()

    def submit(self, *rows: Row) -> Ticket:
        """Take the records of one call, which are written together; never waits.

        While a write has hung past the deadline the ticket fails at once: what is pending stays bounded.
        """
        ticket = Ticket()
        if self.stuck_for() > self._deadline:
            ticket.resolve(failed=True)
            return ticket
        with self._lock:
            self._pending.append((rows, ticket))
            count = len(self._pending)
        if count == 1:
            self.soon(self._wake)
        elif count == self._batch:
            self._wake()
        return ticket

    def stuck_for(self) -> float:
        """Seconds that the write under way has taken so far."""
        since = self._writing_since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Write what is pending and end."""
        self._calls.put(_Call.END)
        self._thread.join()
        self._log.close()

    def _wake(self) -> None:
        self._calls.put(_Call.WRITE)

    def _run(self) -> None:
        call = _Call.WRITE
        while call is not _Call.END:
            call = self._calls.get()
            with self._lock:
                pending, self._pending = self._pending, []
            for start in range(0, len(pending), self._batch):
                self._write(pending[start : start + self._batch])

    def _write(self, batch: Batch) -> None:
        self._writing_since = time.monotonic()
        error: Exception | None = None
        try:
            self._log.append([row for rows, _ in batch for row in rows])
        except Exception as caught:  # noqa: BLE001 - whatever the log raises, its calls must fail and be told
            error, self.failed_at = caught, time.monotonic()
        self._writing_since = None
        if error is not None and self.last_error is None:
            _LOG.error("the audit log cannot be written: %s", type(error).__name__)
        self.last_error = type(error).__name__ if error else None
        self.on_batch(lambda: _resolve(batch, failed=error is not None))


def _at_once(work: Callable[[], None]) -> None:
    work()


def _resolve(batch: Batch, *, failed: bool) -> None:
    for _, ticket in batch:
        try:
            ticket.resolve(failed=failed)
        except Exception as error:  # noqa: BLE001 - what one call does with its ticket must not keep the others waiting
            _LOG.error("a call failed after its record: %s", type(error).__name__)
