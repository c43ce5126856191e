"""A segment while its owner writes it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2

from kms_server.audit.chain import ChainKey, next_head
from kms_server.audit.record import Row
from kms_server.audit.segment_rows import SegmentRows
from kms_server.audit.segments import CREATE, end_of, mark_full

# The write-ahead log goes into the database after 500 pages and begins anew in the same blocks: the longer the log, the
# longer the batch waits at whose end it is copied.
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=500")
# Room for these pages and a batch more, in steps that hold up no other sync for long.
_LOG_BYTES = 10 * 2**18
_STEP = bytes(2**18)


class Segment:
    """A segment that this process owns: `lock` is the descriptor that says so, which goes with the segment.

    Anything may fail with dbapi2.Error or OSError; after that the segment is to be closed.
    """

    def __init__(self, path: Path, lock: int, patience: float) -> None:
        self.path = path
        self._lock = lock
        self._connection: Any = None
        try:
            self._connection = dbapi2.connect(
                str(path), timeout=patience, isolation_level=None, check_same_thread=False
            )
            for pragma in PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute(CREATE)
            # None where nothing can be added.
            self.head = end_of(self._connection)
            self._rows = SegmentRows(self._connection)
            if self.head is not None:
                self._make_room()
        except BaseException:
            self.close()
            raise

    def _make_room(self) -> None:
        """Have the blocks of the write-ahead log there before any batch waits for them.

        A sync of a file that grows costs several times one that overwrites. SQLite's log ends where the sums of its pages do;
        whatever stands behind that is passed over.
        """
        with self.path.with_name(f"{self.path.name}-wal").open("r+b", buffering=0) as log:
            while log.seek(0, os.SEEK_END) < _LOG_BYTES:
                log.write(_STEP)
                os.fsync(log.fileno())

    def append(self, key: ChainKey, rows: Sequence[Row]) -> int:
        """Store rows durably, as the next of the chain; how many the segment then has."""
        assert self.head is not None  # noqa: S101 - nobody keeps one that is None
        head = next_head(key, self.path.stem, self.head, rows)
        self._rows.add(self.path.stem, self.head, rows, head)
        self.head = head
        return head.seq

    def finish(self) -> None:
        """Close it for good: it gets no more rows."""
        try:
            mark_full(self.path)
        finally:
            self.close()

    def close(self) -> None:
        """Give it up; whoever comes next adopts it."""
        try:
            if self._connection is not None:
                self._connection.close()
        finally:
            os.close(self._lock)
