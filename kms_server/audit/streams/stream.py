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

from sqlalchemy import Connection

from kms_server.audit.follower import Follower, News, heads
from kms_server.audit.journal import Journal
from kms_server.audit.matching import uses_key_pending_deletion
from kms_server.audit.record import Row
from kms_server.audit.streams.sink import Line, Sink, SinkError
from kms_server.storage import audit_positions, leases, settings
from kms_server.storage.database import Database

_LOG = logging.getLogger(__name__)
READER = "stream"
_FLAGGED = {"flags": ["KeyPendingDeletionUsed"]}
_BATCH = 500
_LEASE_SECONDS = 30.0
_STEP_SECONDS = 1.0
_PATIENCE = 10.0
_REMIND_SECONDS = 3_600.0


class Stream:
    """Hands the log over to one collector; of all `holder`s that serve a database, one at a time does.

    `problem` says why the collector does not have all records.
    """

    def __init__(
        self, database: Database, journals: Sequence[Journal], open_sink: Callable[[], Sink], holder: str
    ) -> None:
        self._database = database
        self._journals = journals
        self._sink = open_sink()
        self._holder = holder
        self._follower: Follower | None = None
        self._held_until = 0.0
        self._lines: deque[Line] = deque()
        self._news = News((), {})
        self._unnoted: dict[str, int] = {}
        self._failing_until = 0.0
        self._reminded: dict[str, float] = {}
        self.problem: str | None = None

    def begin(self) -> None:
        """The first time of all: what comes from now on is handed over. To be called before there is anything."""
        with self._database.index() as connection:
            is_first = leases.holder(connection, settings.STREAM_LEASE) is None
            if is_first and leases.take(connection, settings.STREAM_LEASE, self._holder, 0):
                audit_positions.put(connection, READER, heads(self._journals))

    def follow(self) -> Iterator[None]:
        """Hand over what there is, in steps."""
        while time.monotonic() >= self._failing_until and (follower := self._mine()) is not None:
            if not self._lines:
                self._news = follower.news(_BATCH)
                self._lines.extend(map(self._line, self._news.rows))
            if not self._lines:
                self._tell(_unread(follower))
                return
            self._hand_over(follower)
            yield

    def _hand_over(self, follower: Follower) -> None:
        until = time.monotonic() + _STEP_SECONDS
        try:
            while self._lines and time.monotonic() < until:
                self._sink.write(self._lines[0])
                self._lines.popleft()
        except SinkError as error:
            self._failing_until = time.monotonic() + _PATIENCE
            self._tell(f"the audit stream waits, {follower.behind()} records behind: {error}")
            return
        self._tell(_unread(follower))
        if not self._lines:
            # What is not noted by a failure is noted with the next, and not handed over again.
            follower.take(self._news)
            self._unnoted |= self._news.positions
            with self._database.index() as connection:
                if self._take(connection) is follower:
                    audit_positions.put(connection, READER, self._unnoted)
            self._unnoted = {}

    def close(self) -> None:
        """Let another process go on at once."""
        self._sink.close()
        if self._follower is not None:
            with self._database.index() as connection:
                leases.take(connection, settings.STREAM_LEASE, self._holder, 0)
            self._begin_anew(None)

    def _mine(self) -> Follower | None:
        """What follows the log here, while this process has the lease."""
        if self._follower is None or time.monotonic() > self._held_until - _LEASE_SECONDS / 2:
            with self._database.index() as connection:
                self._take(connection)
        return self._follower

    def _take(self, connection: Connection) -> Follower | None:
        """Take the lease, or hold it longer; whoever gets it goes on where the one before has stopped."""
        asked = time.monotonic()
        was_ours = leases.holder(connection, settings.STREAM_LEASE) == self._holder
        if not leases.take(connection, settings.STREAM_LEASE, self._holder, _LEASE_SECONDS):
            self._begin_anew(None)
        elif self._follower is None or not was_ours:
            self._begin_anew(Follower(self._journals, audit_positions.get(connection, READER)))
        self._held_until = asked + _LEASE_SECONDS
        return self._follower

    def _begin_anew(self, follower: Follower | None) -> None:
        self._follower = follower
        self._lines.clear()
        self._unnoted = {}
        self.problem = None

    def _tell(self, problem: str | None) -> None:
        if problem is not None and self.problem is None:
            _LOG.warning("%s", problem)
        self.problem = problem

    def _line(self, row: Row) -> Line:
        try:
            record: dict[str, Any] = json.loads(row.record)
        except ValueError:
            # It was changed in the log; that is for verification to tell, and the others must come.
            return Line(json.dumps({"eventID": row.event_id, "unreadable": True}), row.event_id, urgent=True)
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


def _unread(follower: Follower) -> str | None:
    return f"the audit stream passes over a part of the log: {follower.problem}" if follower.problem else None
