"""The embedded audit log: a file of the process's own, so that no two processes wait for each other.

A segment is an SQLite database with the table alone, in WAL mode with `synchronous=FULL`: each commit syncs the
write-ahead log once. Its owner holds an flock on a file beside it (never on the database file: closing that would
drop SQLite's own locks). Full segments are sealed: indexed once, and read only from then on.
"""

import fcntl
import logging
import os
import secrets
from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from kms_server.audit import marks
from kms_server.audit.record import Row
from kms_server.audit.segment_list import segment_list
from kms_server.config import Limits
from kms_server.storage.tables import audit_events, audit_indexes

_LOG = logging.getLogger(__name__)
_CREATE = str(CreateTable(audit_events, if_not_exists=True).compile(dialect=sqlite.dialect()))
_INDEX = [
    str(CreateIndex(index, if_not_exists=True).compile(dialect=sqlite.dialect())) for index in audit_indexes
]
# The state of a segment stands in files beside it: renaming a database would part it from its log.
_FULL = ".full"
_SORTING = 65_536  # KiB of memory while a segment is indexed
_COLUMNS = len(Row._fields)
_PADDING = (None,) * _COLUMNS


def segment_files(directory: Path) -> list[Path]:
    """All segments, whatever their state."""
    return sorted(directory.glob("*.db"))


@cache
def _insert(size: int) -> str:
    """One statement for up to `size` rows; what is not a row is null.

    One statement is one transaction and one step. SQLite gives Python's lock up once per step, and a batch of steps
    beside a busy event loop would wait for it as often as it has rows. Sizes are powers of two, so that the few
    statements there are stay prepared. Only a known id is passed over: OR IGNORE would also swallow a row that breaks
    another constraint.
    """
    row = f"({', '.join('?' * _COLUMNS)})"
    return (
        f"INSERT INTO audit_events SELECT * FROM (VALUES {', '.join([row] * size)}) WHERE column1 IS NOT NULL"  # noqa: S608 - question marks alone
        " ON CONFLICT (event_id) DO NOTHING"
    )


class SegmentLog:
    """Appends to a segment that this process owns; opened at the first append, after any fork."""

    def __init__(self, directory: Path, limits: Limits) -> None:
        self._directory = directory
        self._limit = limits.segment_rows
        self._patience = limits.audit_deadline / 2
        self._connection: Any = None
        self._path: Path | None = None
        self._failed: Path | None = None
        self._owned: int | None = None
        self._rows = 0

    def append(self, rows: Sequence[Row]) -> None:
        """Store rows durably.

        Raises:
            dbapi2.Error, OSError: the batch is not known to be stored. After a failure of the file, rather than
                of the rows, the next append turns to another segment.
        """
        try:
            if self._connection is None:
                self._open()
            size = 1 << (len(rows) - 1).bit_length()
            padding = (_PADDING,) * (size - len(rows))
            self._connection.execute(_insert(size), tuple(chain.from_iterable((*rows, *padding))))
        except dbapi2.IntegrityError:
            self.close()
            raise
        except (dbapi2.Error, OSError):
            # Passed over until another fails: a damaged file costs one batch, a full disk two files at most.
            self._failed = self._path
            self.close()
            raise
        self._rows += len(rows)
        if self._rows >= self._limit:
            self._finish()

    def _open(self) -> None:
        path = next(filter(self._own, segment_files(self._directory)), None)
        while path is None:
            fresh = self._directory / f"{secrets.token_hex(8)}.db"
            path = fresh if self._own(fresh) else None
        self._path = path
        path.touch(mode=0o600)
        self._connection = dbapi2.connect(
            str(path), timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(_CREATE)
        self._rows = self._connection.execute("SELECT count(*) FROM audit_events").fetchone()[0]

    def _own(self, path: Path) -> bool:
        descriptor = None if path == self._failed else _lock(path)
        if descriptor is None:
            return False
        # Under the lock: its last owner may have filled it a moment ago.
        if path.with_suffix(_FULL).exists():
            os.close(descriptor)
            return False
        self._owned = descriptor
        return True

    def _finish(self) -> None:
        if self._path is not None:
            self._path.with_suffix(_FULL).touch(mode=0o600)
        self.close()

    def close(self) -> None:
        """Give the segment up; whoever comes next adopts it."""
        if self._connection is not None:
            self._connection.close()
        if self._owned is not None:
            os.close(self._owned)
        self._connection, self._owned, self._path = None, None, None


def seal(directory: Path) -> None:
    """Index full segments, which nobody writes any more; any number of processes may try.

    Raises:
        OSError: some could not be sealed; the others are.
    """
    failed = 0
    for path in segment_list(directory).now().unsealed:
        descriptor = _lock(path) if path.with_suffix(_FULL).exists() else None
        if descriptor is None:
            continue
        try:
            _index(path)
        except (dbapi2.Error, OSError) as error:
            _LOG.error("the audit segment %s cannot be sealed: %s", path, type(error).__name__)
            failed += 1
        finally:
            os.close(descriptor)
    if failed:
        raise OSError(f"{failed} audit segments cannot be sealed")


def _index(path: Path) -> None:
    connection = dbapi2.connect(str(path), isolation_level=None)
    try:
        connection.execute(f"PRAGMA cache_size=-{_SORTING}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in _INDEX:
            connection.execute(statement)
        connection.execute("COMMIT")
        mark = marks.describe(connection)
        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    # Who reads a sealed segment passes over its write-ahead log; a reader in the way goes soon.
    if not busy:
        marks.write(path, mark)


def _lock(path: Path) -> int | None:
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
