"""Group commit: the concurrent calls of a worker share one durable write, and each waits for its own."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from kms_server.audit.log import AuditLog, Outdated, PutOff
from kms_server.audit.record import Row
from kms_server.batches import Batches, Ticket, settle_each
from kms_server.config import Limits
from kms_server.diagnosis import in_words
from kms_server.errors import KMSInternalException

_LOG = logging.getLogger(__name__)
# Seconds without a batch after which what was put off is done.
_PAUSE = 0.01


def wait(ticket: Ticket, deadline: float) -> None:
    """Wait up to `deadline` seconds for a record to be on disk; for threads other than the one that settles tickets.

    Raises:
        KMSInternalException: it could not be written, or not in time; the outcome is unknown.
    """
    if not ticket.wait(deadline) or ticket.failed:
        raise KMSInternalException


# The records of one call, and the stamp of what it was decided on where that may be outdated.
Entry: TypeAlias = tuple[tuple[Row, ...], Ticket, int | None]


class Written(Protocol):
    """Hears of each batch: how many calls it had, and how many seconds it took."""

    def __call__(self, calls: int, seconds: float, *, failed: bool) -> None: ...  # noqa: D102 - see above


class GroupCommit(Batches[Entry]):
    """One committer thread writes the records that calls have submitted, and settles their tickets.

    `on_written` is called in that thread.
    """

    def __init__(self, log: AuditLog, limits: Limits) -> None:
        self._log = log
        self._deadline = limits.audit_deadline
        self._writing_since: float | None = None
        self._put_off: PutOff | None = None
        self.last_error: str | None = None
        self.failed_at = 0.0
        self.on_written: Written | None = None
        super().__init__("audit commit", limits.audit_batch)

    def submit(self, *rows: Row, decided_on: int | None = None) -> Ticket:
        """Take the records of one call, which are written together; never waits.

        While a write has hung past the deadline the ticket fails at once: what is pending stays bounded. Where the log is in
        a database that hosts share, it fails as `outdated` if something has changed there since the stamp `decided_on`.
        """
        ticket = Ticket()
        if self._writing_since is not None and self.stuck_for() > self._deadline:
            ticket.settle(failed=True)
        else:
            self.add((rows, ticket, decided_on))
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
        """Write the records of a batch, but for those of calls that must be decided again."""
        began = time.monotonic()
        failed = self._fails(partial(self._write, batch))
        if failed:
            # Refused calls may come without a pause.
            self.look_in()
        else:
            self.last_error = None
        if self.on_written is not None:
            self.on_written(len(batch), time.monotonic() - began, failed=failed)
        return partial(settle_each, [ticket for _, ticket, _ in batch], failed=failed)

    def look_in(self) -> None:
        """Do what the last batches have put off."""
        put_off, self._put_off, self.idle = self._put_off, None, None
        if put_off is not None:
            self._fails(put_off)

    def _fails(self, write: Callable[[], None]) -> bool:
        error: Exception | None = None
        self._writing_since = time.monotonic()
        try:
            write()
        except Exception as caught:  # noqa: BLE001 - whatever the log raises, its calls must fail and be told
            error, self.failed_at = caught, time.monotonic()
        self._writing_since = None
        if error is not None and self.last_error is None:
            _LOG.error("the audit log cannot be written: %s", in_words(error))
        if error is not None:
            self.last_error = in_words(error)
        return error is not None

    def _write(self, batch: Sequence[Entry]) -> None:
        while batch:
            oldest = min([decided_on for _, _, decided_on in batch if decided_on is not None], default=None)
            try:
                self._put_off = self._log.append([row for rows, _, _ in batch for row in rows], oldest)
                self.idle = None if self._put_off is None else _PAUSE
            except Outdated as newer:
                for _, ticket, decided_on in batch:
                    ticket.outdated = decided_on is not None and decided_on < newer.newest
                batch = [entry for entry in batch if not entry[1].outdated]
            else:
                return
