"""Group commit: the concurrent calls of a worker share one durable write, and each waits for its own."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias

from kms_server.audit.log import AuditLog
from kms_server.audit.record import Row
from kms_server.batches import Batches, Ticket, settle_each
from kms_server.config import Limits
from kms_server.errors import KMSInternalException
from kms_server.storage.freshness import Look

_LOG = logging.getLogger(__name__)


def wait(ticket: Ticket, deadline: float) -> None:
    """Wait up to `deadline` seconds for a record to be on disk; for threads other than the one that settles tickets.

    Raises:
        KMSInternalException: it could not be written, or not in time; the outcome is unknown.
    """
    if not ticket.wait(deadline) or ticket.failed:
        raise KMSInternalException


class Memory(Protocol):
    """What calls are decided by."""

    @property
    def last_look(self) -> Look | None:
        """When it was last compared with the database; None where it always is."""

    def holds(self, look: Look) -> bool:
        """Whether nobody changed anything after `look`, but perhaps a moment ago; may ask the database."""


Entry: TypeAlias = tuple[tuple[Row, ...], Ticket, Look | None]


class GroupCommit(Batches[Entry]):
    """One committer thread writes the records that calls have submitted, and settles their tickets.

    A record may take long to arrive, or the process stands still meanwhile: a call fails then whose answer was decided
    by a `memory` that is old by now.
    """

    memory: Memory | None = None

    def __init__(self, log: AuditLog, limits: Limits) -> None:
        self._log = log
        self._deadline = limits.audit_deadline
        self._writing_since: float | None = None
        self.last_error: str | None = None
        self.failed_at = 0.0
        super().__init__("audit commit", limits.audit_batch)

    def submit(self, *rows: Row) -> Ticket:
        """Take the records of one call, which are written together; never waits.

        While a write has hung past the deadline the ticket fails at once: what is pending stays bounded.
        """
        ticket = Ticket()
        if self._writing_since is not None and self.stuck_for() > self._deadline:
            ticket.settle(failed=True)
        else:
            self.add((rows, ticket, self.memory.last_look if self.memory else None))
        return ticket

    def stuck_for(self) -> float:
        """Seconds that the write under way has taken so far."""
        since = self._writing_since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Write what is pending and end."""
        self.end()
        self._log.close()

    def work(self, batch: list[Entry]) -> Callable[[], None]:
        """Write the records of a batch."""
        self._writing_since = time.monotonic()
        error: Exception | None = None
        outdated: set[Look] = set()
        try:
            self._log.append([row for rows, _, _ in batch for row in rows])
            outdated = self._outdated({look for _, _, look in batch if look is not None})
        except Exception as caught:  # noqa: BLE001 - whatever the log raises, its calls must fail and be told
            error, self.failed_at = caught, time.monotonic()
        self._writing_since = None
        if error is not None and self.last_error is None:
            _LOG.error("the audit log cannot be written: %s", type(error).__name__)
        self.last_error = type(error).__name__ if error else None
        if not outdated:
            return partial(settle_each, [ticket for _, ticket, _ in batch], failed=error is not None)
        return partial(_settle_apart, batch, outdated)

    def _outdated(self, looks: set[Look]) -> set[Look]:
        """By which of these nothing may be answered any more."""
        return {look for look in looks if self.memory is not None and not self.memory.holds(look)}


def _settle_apart(batch: list[Entry], outdated: set[Look]) -> None:
    for failed in (False, True):
        settle_each([ticket for _, ticket, look in batch if (look in outdated) == failed], failed=failed)
