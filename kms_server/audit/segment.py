"""A segment while its owner writes it."""

import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, wait
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

_LOG = logging.getLogger(__name__)
# Large pages: a transaction writes the last page of the table and of its index once more, and each page on its own.
_PAGE_BYTES = 2**14
# The write-ahead log goes into the database after so many pages and begins anew in the same blocks: the longer the log, the
# longer it takes to copy it.
_MOST_PAGES = 50
_PRAGMAS = (
    f"page_size={_PAGE_BYTES}",
    "journal_mode=WAL",
    "synchronous=FULL",
    f"wal_autocheckpoint={_MOST_PAGES}",
)
_LOG_BYTES = 10 * 2**18  # those pages, and what a backlog may hold
# Larger batches go into the database at once, and with as many rows so does what waits.
_MOST_DEFERRED, _MOST_WAITING = 32, 64
_WAITING_SECONDS = 0.02


class Segment:
    """A segment that this process owns: `lock` is the descriptor that says so, which goes with the segment.

    What a former owner has left in the backlog is in the database from then on. With a thread `aside` small batches wait in
    the backlog for each other or for `store`, and all of them while that thread copies the write-ahead log into the database.
    Anything may fail with dbapi2.Error or OSError; after that the segment is to be closed.
    """

    def __init__(
        self, path: Path, lock: int, key: ChainKey, patience: float, aside: Executor | None = None
    ) -> None:
        self.path = path
        self._key = key
        self._aside: Executor | None = None
        self._copying: Future[None] | None = None
        self._copied = 0
        with ExitStack() as held:
            held.callback(os.close, lock)
            self._connection: Any = dbapi2.connect(
                str(path), timeout=patience, isolation_level=None, check_same_thread=False
            )
            held.callback(self._connection.close)
            for pragma in _PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
            if aside is not None:
                self._connection.execute("PRAGMA wal_autocheckpoint=0")
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
        self._aside = aside

    def _take_over(self) -> None:
        self._waiting_since = 0.0
        head = self.head if self.takes_rows else None
        self._waiting = self._backlog.left(self._key, self.path.stem, head)
        self.store()
        self._backlog.clear()

    def append(self, rows: Sequence[Row]) -> int:
        """Have rows on disk, as the next of the chain; how many the segment then has."""
        now = time.monotonic()
        if not self._waiting:
            self._waiting_since = now
        batch = Linked(rows, next_head(self._key, self.path.stem, self.head, rows))
        waits = self._may_wait(batch, now - self._waiting_since) and self._backlog.add(batch)
        self._waiting.append(batch)
        self.head = batch.head
        if not waits:
            self.store()
        return batch.head.seq

    def _may_wait(self, batch: Linked, seconds: float) -> bool:
        if self._aside is None:
            return False
        if self._copying is not None and not self._copying.done():
            return True
        waiting = batch.head.seq - self._stored.seq
        return len(batch.rows) <= _MOST_DEFERRED and waiting < _MOST_WAITING and seconds < _WAITING_SECONDS

    @property
    def is_behind(self) -> bool:
        """Whether there are rows that wait in the backlog."""
        return bool(self._waiting)

    def store(self) -> None:
        """Have all rows in the database."""
        if self._waiting:
            self._end_copying()
            self._rows.add(self.path.stem, self._stored, self._waiting)
            self._stored = self.head = self._waiting[-1].head
            self._waiting = []
            self._backlog.clear()
            self._copy_what_is_long()

    def _copy_what_is_long(self) -> None:
        """Have the write-ahead log copied, by the connection, which nobody else uses meanwhile."""
        if self._aside is not None:
            ((_, pages, copied),) = self._connection.execute("PRAGMA wal_checkpoint(NOOP)")
            # A reader may hold up the copy; then the next is due as many pages later.
            if pages < self._copied:
                self._copied = 0
            if pages - max(copied, self._copied) >= _MOST_PAGES:
                self._copied = pages
                self._copying = self._aside.submit(self._copy)

    def _copy(self) -> None:
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        except dbapi2.Error as error:
            # No record's fault: it stays in the log, which is copied after the next rows.
            _LOG.warning("the write-ahead log of %s cannot be copied: %s", self.path, type(error).__name__)

    def _end_copying(self) -> None:
        if self._copying is not None:
            wait([self._copying])

    def finish(self) -> None:
        """Close it for good, in whatever thread: it gets no more rows."""
        self._aside = None
        try:
            self.store()
            mark_full(self.path)
            backlog.remove(self.path)
        finally:
            self.close()

    def close(self) -> None:
        """Give it up; whoever comes next adopts it, and what waits."""
        self._end_copying()
        self._held.close()
