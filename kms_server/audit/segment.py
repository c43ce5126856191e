"""A segment while its owner writes it."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2

from kms_server.audit import backlog
from kms_server.audit.backlog import Backlog
from kms_server.audit.chain import ChainKey, Linked, next_head
from kms_server.audit.record import Row
from kms_server.audit.segment_rows import SegmentRows
from kms_server.audit.segments import CREATE, end_of, make_room, mark_full
from kms_server.storage.audit_writers import START

# The write-ahead log goes into the database after 500 pages and begins anew in the same blocks: the longer the log, the
# longer the batch waits at whose end it is copied.
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=500")
_LOG_BYTES = 10 * 2**18  # those pages, and a batch more
# Larger batches go into the database at once, and with as many rows so does what waits.
_MOST_DEFERRED, _MOST_WAITING = 32, 64
_WAITING_SECONDS = 0.02


class Segment:
    """A segment that this process owns: `lock` is the descriptor that says so, which goes with the segment.

    What a former owner has left in the backlog is in the database from then on. Anything may fail with dbapi2.Error or
    OSError; after that the segment is to be closed.
    """

    def __init__(self, path: Path, lock: int, key: ChainKey, patience: float) -> None:
        self.path = path
        self._key = key
        with ExitStack() as held:
            held.callback(os.close, lock)
            self._connection: Any = dbapi2.connect(
                str(path), timeout=patience, isolation_level=None, check_same_thread=False
            )
            held.callback(self._connection.close)
            for pragma in PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute(CREATE)
            make_room(path.with_name(f"{path.name}-wal"), _LOG_BYTES)
            self._rows = SegmentRows(self._connection)
            end = end_of(self._connection)
            self.takes_rows = end is not None
            self.head = self._stored = end or START
            self._backlog = Backlog(path)
            held.callback(self._backlog.close)
            self._take_over()
            self._held = held.pop_all()

    def _take_over(self) -> None:
        self._waiting_since = 0.0
        self._waiting = [*self._backlog.left(self._key, self.path.stem, self.head)] if self.takes_rows else []
        self.store()
        self._backlog.clear()

    def append(self, rows: Sequence[Row], *, may_wait: bool) -> int:
        """Have rows on disk, as the next of the chain; how many the segment then has.

        Those of small batches may wait in the backlog for each other or for `store`.
        """
        now = time.monotonic()
        if not self._waiting:
            self._waiting_since = now
        batch = Linked(rows, next_head(self._key, self.path.stem, self.head, rows))
        self._waiting.append(batch)
        self.head = batch.head
        may_wait = may_wait and len(rows) <= _MOST_DEFERRED and now - self._waiting_since < _WAITING_SECONDS
        if not (may_wait and self._backlog_takes(batch)):
            self.store()
        return batch.head.seq

    def _backlog_takes(self, batch: Linked) -> bool:
        return batch.head.seq - self._stored.seq < _MOST_WAITING and self._backlog.add(batch)

    @property
    def is_behind(self) -> bool:
        """Whether there are rows that wait in the backlog."""
        return bool(self._waiting)

    def store(self) -> None:
        """Have all rows in the database."""
        if self._waiting:
            self._rows.add(self.path.stem, self._stored, self._waiting)
            self._stored = self.head = self._waiting[-1].head
            self._waiting = []
            self._backlog.clear()

    def finish(self) -> None:
        """Close it for good: it gets no more rows."""
        try:
            self.store()
            mark_full(self.path)
            backlog.remove(self.path)
        finally:
            self.close()

    def close(self) -> None:
        """Give it up; whoever comes next adopts it, and what waits."""
        self._held.close()
