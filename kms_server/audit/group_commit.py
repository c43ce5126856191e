"""Group commit: the concurrent calls of a worker share one durable write, and each waits for its own."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeAlias

from kms_server.audit.log import AuditLog
from kms_server.audit.record import Row
from kms_server.config import Limits
from kms_server.errors import KMSInternalException

_LOG = logging.getLogger(__name__)

Ticket: TypeAlias = Future[None]


def wait(ticket: Ticket, deadline: float) -> None:
    """Wait up to `deadline` seconds for a record to be on disk.

    Raises:
        KMSInternalException: it could not be written, or not in time; the outcome is unknown.
    """
    try:
        ticket.result(timeout=deadline)
    except FutureTimeoutError:
        raise KMSInternalException from None


class GroupCommit:
    """One committer thread: takes whatever is pending, writes it, and resolves its tickets.

    `on_batch` receives the tickets that a batch resolves, so that an event loop is woken once for all of them.
    """

    def __init__(self, log: AuditLog, limits: Limits) -> None:
        self._log = log
        self._batch = limits.audit_batch
        self._deadline = limits.audit_deadline
        self._pending: list[tuple[Row, Ticket]] = []
        self._wake = threading.Condition()
        self._closing = False
        self._writing_since: float | None = None
        self.last_error: str | None = None
        self.on_batch: Callable[[Callable[[], None]], object] = lambda resolve: resolve()
        self._thread = threading.Thread(target=self._run, name="audit commit", daemon=True)
        self._thread.start()

    def submit(self, row: Row) -> Ticket:
        """Hand a record over; never waits.

        While a write has hung past the deadline the ticket fails at once: what is pending stays bounded.
        """
        ticket: Ticket = Future()
        if self.stuck_for() > self._deadline:
            ticket.set_exception(KMSInternalException())
            return ticket
        with self._wake:
            self._pending.append((row, ticket))
            if len(self._pending) == 1:
                self._wake.notify()
        return ticket

    def stuck_for(self) -> float:
        """Seconds that the write under way has taken so far."""
        since = self._writing_since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Write what is pending and end."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._log.close()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._pending and not self._closing:
                    self._wake.wait()
                batch, self._pending = self._pending[: self._batch], self._pending[self._batch :]
            if not batch:
                return
            self._write(batch)

    def _write(self, batch: list[tuple[Row, Ticket]]) -> None:
        self._writing_since = time.monotonic()
        error: Exception | None = None
        try:
            self._log.append([row for row, _ in batch])
        except Exception as caught:  # noqa: BLE001 - whatever the log raises, its calls must fail and be told
            error = caught
        self._writing_since = None
        if error is not None and self.last_error is None:
            _LOG.error("the audit log cannot be written: %s", type(error).__name__)
        self.last_error = type(error).__name__ if error else None
        self.on_batch(lambda: _resolve(batch, failed=error is not None))


def _resolve(batch: list[tuple[Row, Ticket]], *, failed: bool) -> None:
    for _, ticket in batch:
        if ticket.cancelled():
            continue
        if failed:
            ticket.set_exception(KMSInternalException())
        else:
            ticket.set_result(None)
