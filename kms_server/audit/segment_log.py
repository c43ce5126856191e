"""The embedded audit log of one writer: one segment after the other."""

import logging
import os
import secrets
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path

from pysqlite3 import dbapi2

from kms_server.audit import backlog
from kms_server.audit.chain import ChainKey
from kms_server.audit.log import PutOff
from kms_server.audit.record import Row
from kms_server.audit.segment import Segment
from kms_server.audit.segment_list import segment_list
from kms_server.audit.segments import is_full, lock, segment_files
from kms_server.config import Limits

_LOG = logging.getLogger(__name__)
# How full a segment is when the next one is made ready.
_NEARLY_FULL = 0.75
# Segments that are passed over: so many may be damaged, and so many files more one makes on a disk that is full.
_MOST_FAILED = 4


class SegmentLog:
    """Appends to a segment that this process owns; opened at the first append, after any fork.

    A change of segments takes as long as many batches. With threads `aside` the next one is made ready, and the full one is
    closed, while others are written; and batches may wait in the backlog of the open one.
    """

    def __init__(self, directory: Path, limits: Limits, key: ChainKey, aside: Executor | None = None) -> None:
        self._directory = directory
        self._key = key
        self._limit = limits.segment_rows
        self._patience = limits.audit_deadline / 2
        self._aside = aside
        self._segment: Segment | None = None
        self._next: Future[Segment] | None = None
        self._closing: Future[None] | None = None
        self._failed: deque[Path] = deque(maxlen=_MOST_FAILED)

    def append(self, rows: Sequence[Row], decided_on: int | None = None) -> PutOff | None:  # noqa: ARG002 - nobody shares it
        """Store rows durably. With threads `aside` it may put off having them in a database.

        Raises:
            dbapi2.Error, OSError: the batch is not known to be stored. After a failure of the file, rather than
                of the rows, the next append turns to another segment.
        """
        segment = self._segment = self._segment or self._taken()
        try:
            count = segment.append(rows)
        except (dbapi2.Error, OSError) as error:
            # Passed over until others fail: a damaged file costs one batch.
            if not isinstance(error, dbapi2.IntegrityError):
                self._failed.append(segment.path)
            self._give_up()
            raise
        except Exception:
            self._give_up()
            raise
        if count >= self._limit:
            self._segment = None
            if self._aside is None:
                _finish(segment)
            else:
                self._closing = self._aside.submit(_finish, segment)
        elif self._aside is not None and self._next is None and count >= self._limit * _NEARLY_FULL:
            self._next = self._aside.submit(self._open)
        return self._store if self._segment is not None and self._segment.is_behind else None

    def _store(self) -> None:
        """Have all rows in the database.

        Raises:
            dbapi2.Error, OSError: they are safe in the backlog, which waits for the segment's next owner.
        """
        if self._segment is not None:
            try:
                self._segment.store()
            except Exception:
                self._failed.append(self._segment.path)
                self._give_up()
                raise

    def _taken(self) -> Segment:
        """The segment that was made ready, or another where that could not be."""
        ready, self._next = self._next, None
        if ready is not None and ready.exception() is None:
            return ready.result()
        return self._open()

    def _open(self) -> Segment:
        while True:
            path, owned = self._owned()
            try:
                segment = Segment(path, owned, self._key, self._patience, self._aside)
            except (dbapi2.Error, OSError):
                self._failed.append(path)
                raise
            if segment.takes_rows:
                return segment
            segment.finish()

    def _owned(self) -> tuple[Path, int]:
        """A segment that is nobody else's, or a fresh one."""
        for path in segment_files(self._directory):
            if path not in self._failed and (owned := _own(path)) is not None:
                return path, owned
        while True:
            fresh = self._directory / f"{secrets.token_hex(8)}.db"
            fresh.touch(mode=0o600)
            if (owned := _own(fresh)) is not None:
                return fresh, owned

    def _give_up(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def close(self) -> None:
        """Give up what there is; whoever comes next adopts it."""
        if self._closing is not None:
            self._closing.result()
        if self._next is not None and self._next.exception() is None:
            self._next.result().close()
        self._next = self._closing = None
        try:
            self._store()
        except (dbapi2.Error, OSError) as error:
            _LOG.error("what waits in a backlog is left to the next start: %s", type(error).__name__)
        self._give_up()


def recover(directory: Path, key: ChainKey, limits: Limits) -> None:
    """Have in the databases what processes have left that were killed; any number of processes may try.

    Raises:
        OSError: some of it could not be; the rest is.
    """
    failed = 0
    for path in segment_list(directory).now().unsealed:
        try:
            if backlog.is_left(path) and (owned := _own(path)) is not None:
                Segment(path, owned, key, limits.audit_deadline / 2).close()
        except (dbapi2.Error, OSError) as error:
            _LOG.error("what waits for the audit segment %s cannot be stored: %s", path, type(error).__name__)
            failed += 1
    if failed:
        raise OSError(f"{failed} audit segments do not take what waits for them")


def _finish(segment: Segment) -> None:
    """Close a full segment; what hinders it concerns no record, and meets whoever adopts the segment."""
    try:
        segment.finish()
    except Exception as error:  # noqa: BLE001 - it must not fail whoever closes the log
        _LOG.error("the audit segment %s cannot be closed: %s", segment.path, type(error).__name__)


def _own(path: Path) -> int | None:
    """Own a segment that is to get rows; None: somebody else does, or it gets none any more."""
    descriptor = lock(path)
    # Under the lock: its last owner may have filled it a moment ago, or it was pruned.
    if descriptor is not None and (is_full(path) or not path.exists()):
        os.close(descriptor)
        return None
    return descriptor
