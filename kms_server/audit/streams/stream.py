"""The stream: every record as a line for a collector, in the order of commits, at least once.

It follows the log beside the requests, so a collector that does not read holds nobody up. A line may come again after a
crash, since what was handed over is noted afterwards; a collector tells copies by `eventID`.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kms_server.audit.follower import Follower, News, heads
from kms_server.audit.journal import Journal
from kms_server.audit.matching import uses_key_pending_deletion
from kms_server.audit.record import Row
from kms_server.audit.streams.sink import Line, Sink, SinkError
from kms_server.clock import real_now
from kms_server.storage import audit_positions, leases, settings
from kms_server.storage.database import Database

_LOG = logging.getLogger(__name__)
READER = "stream"
_FLAGGED = {"flags": ["KeyPendingDeletionUsed"]}
_BATCH = 500
_LEASE_SECONDS = 30.0
_PATIENCE = 10.0
_REMIND_SECONDS = 3_600.0


class Stream:
    """Hands the log over to one collector; of all `holder`s that serve a database, one at a time does."""

    def __init__(
        self, database: Database, journals: Sequence[Journal], open_sink: Callable[[], Sink], holder: str
    ) -> None:
        self._database = database
        self._journals = journals
        self._sink = open_sink()
        self._holder = holder
        self._held_until = 0.0
        self._follower = Follower(journals, {})
        self._lines: deque[Line] = deque()
        self._news = News((), {})
        self._failing_until = 0.0
        self._reminded: dict[str, float] = {}
        self.problem: str | None = None

    def begin(self) -> None:
        """The first time of all: what comes from now on is handed over. To be called before there is anything."""
        now = real_now()
        with self._database.index() as connection:
            is_first = settings.get(connection, settings.STREAM_LEASE) is None
            if is_first and leases.take(connection, settings.STREAM_LEASE, self._holder, now, now):
                audit_positions.put(connection, READER, heads(self._journals))

    def follow(self) -> Iterator[None]:
        """Hand over what there is, in steps.

        Raises:
            OperatorError: a segment cannot be read.
        """
        while time.monotonic() >= self._failing_until and self._is_mine():
            if not self._lines:
                self._news = self._follower.news(_BATCH)
                self._lines.extend(map(self._line, self._news.rows))
            if not self._lines:
                return
            self._hand_over()
            yield

    def _hand_over(self) -> None:
        try:
            while self._lines:
                self._sink.write(self._lines[0])
                self._lines.popleft()
        except SinkError as error:
            self._failing_until = time.monotonic() + _PATIENCE
            if self.problem is None:
                _LOG.warning("the audit stream waits: %s", error)
            self.problem = f"the audit stream is {self._follower.behind()} records behind: {error}"
            return
        self.problem = None
        with self._database.index() as connection:
            audit_positions.put(connection, READER, self._news.positions)
        self._follower.take(self._news)

    def close(self) -> None:
        """Let another process go on at once."""
        self._sink.close()
        if self._held_until:
            now = real_now()
            with self._database.index() as connection:
                leases.take(connection, settings.STREAM_LEASE, self._holder, now, now)

    def _is_mine(self) -> bool:
        """Hold the lease; whoever gets it goes on where the one before has stopped."""
        now = real_now()
        if now < self._held_until - _LEASE_SECONDS / 2:
            return True
        held_before = now < self._held_until
        with self._database.index() as connection:
            if not leases.take(connection, settings.STREAM_LEASE, self._holder, now, now + _LEASE_SECONDS):
                self._held_until = 0.0
                return False
            if not held_before:
                self._lines.clear()
                self._follower = Follower(self._journals, audit_positions.get(connection, READER))
        self._held_until = now + _LEASE_SECONDS
        return True

    def _line(self, row: Row) -> Line:
        record: dict[str, Any] = json.loads(row.record)
        if not uses_key_pending_deletion(record):
            return Line(row.record, row.event_id, urgent=row.error_code is not None)
        self._remind(row)
        return Line(json.dumps(record | _FLAGGED, ensure_ascii=False), row.event_id, urgent=True)

    def _remind(self, row: Row) -> None:
        """Tell the server's own log, once an hour for each key."""
        key, now = row.resource_1 or "a key", time.monotonic()
        if now - self._reminded.get(key, -_REMIND_SECONDS) >= _REMIND_SECONDS:
            self._reminded = {one: at for one, at in self._reminded.items() if now - at < _REMIND_SECONDS} | {
                key: now
            }
            _LOG.warning("%s is pending deletion, and %s still asks for it", key, row.username or "somebody")
