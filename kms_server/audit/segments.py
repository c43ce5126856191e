"""The embedded audit log: a file of the process's own, so that no two processes wait for each other.

A segment is an SQLite database with the table alone, in WAL mode with `synchronous=FULL`: each commit syncs the
write-ahead log once. It is a writer of its own, whose numbers are those of its rows (rowid). Its owner holds an flock on a file beside it (never on the database file: closing that would
drop SQLite's own locks). Full segments are sealed: indexed once, and read only from then on.
"""

import fcntl
import logging
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pysqlite3 import dbapi2
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from kms_server.audit import marks
from kms_server.audit.chain import ChainKey, next_head
from kms_server.audit.record import Row
from kms_server.audit.segment_list import segment_list
from kms_server.audit.segment_rows import SegmentRows
from kms_server.config import Limits
from kms_server.storage.audit_tables import audit_events, audit_indexes
from kms_server.storage.audit_writers import START, Head

_LOG = logging.getLogger(__name__)
CREATE = str(CreateTable(audit_events, if_not_exists=True).compile(dialect=sqlite.dialect()))
_INDEX = {
    str(index.name).removeprefix("ix_audit_events_"): str(
        CreateIndex(index, if_not_exists=True).compile(dialect=sqlite.dialect())
    )
    for index in audit_indexes
}
# Few records have a second resource.
_INDEX["resource_2"] += " WHERE resource_2 IS NOT NULL"
# The state of a segment stands in files beside it: renaming a database would part it from its log.
_FULL, _LOCK = ".full", ".lock"
_IS_CHAINED = "SELECT 1 FROM pragma_table_info('audit_events') WHERE name = 'link'"
_LAST = "SELECT rowid, seq, link FROM audit_events ORDER BY rowid DESC LIMIT 1"
_SORTING = 65_536  # KiB of memory while a segment is indexed
# The write-ahead log goes into the database after 500 pages and begins anew in the same blocks: syncs of a file that
# grows cost more, and the longer the log, the longer the batch waits at whose end it is copied.
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=500")


def segment_files(directory: Path) -> list[Path]:
    """All segments, whatever their state."""
    return sorted(directory.glob("*.db"))


def is_full(path: Path) -> bool:
    """Whether a segment gets no more rows."""
    return path.with_suffix(_FULL).exists()


def mark_full(path: Path) -> None:
    """Note that a segment gets no more rows."""
    path.with_suffix(_FULL).touch(mode=0o600)


def is_chained(connection: Any) -> bool:  # noqa: ANN401 - the driver has no types
    """Whether a segment has a chain; those of before there were chains have none."""
    return connection.execute(_IS_CHAINED).fetchone() is not None


def end_of(connection: Any) -> Head | None:  # noqa: ANN401 - the driver has no types
    """Where the chain of a segment ends; None where none can be made longer: it is older than chains, or was changed."""
    if not is_chained(connection):
        return None
    last = connection.execute(_LAST).fetchone()
    if last is None:
        return START
    row, seq, link = last
    return Head(seq, link) if row == seq and link is not None else None


class SegmentLog:
    """Appends to a segment that this process owns; opened at the first append, after any fork."""

    def __init__(self, directory: Path, limits: Limits, key: ChainKey) -> None:
        self._directory = directory
        self._key = key
        self._limit = limits.segment_rows
        self._patience = limits.audit_deadline / 2
        self._connection: Any = None
        self._rows: SegmentRows | None = None
        self._path: Path | None = None
        self._failed: Path | None = None
        self._owned: int | None = None
        self._writer = ""
        self._head = START

    def append(self, rows: Sequence[Row], decided_on: int | None = None) -> None:  # noqa: ARG002 - nobody shares it
        """Store rows durably.

        Raises:
            dbapi2.Error, OSError: the batch is not known to be stored. After a failure of the file, rather than
                of the rows, the next append turns to another segment.
        """
        try:
            while (segment := self._rows) is None:
                self._open()
            head = next_head(self._key, self._writer, self._head, rows)
            segment.add(self._writer, self._head, rows, head)
        except dbapi2.IntegrityError:
            self.close()
            raise
        except (dbapi2.Error, OSError):
            # Passed over until another fails: a damaged file costs one batch, a full disk two files at most.
            self._failed = self._path
            self.close()
            raise
        self._head = head
        if head.seq >= self._limit:
            self._finish()

    def _open(self) -> None:
        path = next(filter(self._own, segment_files(self._directory)), None)
        while path is None:
            fresh = self._directory / f"{secrets.token_hex(8)}.db"
            fresh.touch(mode=0o600)
            path = fresh if self._own(fresh) else None
        self._path = path
        self._connection = dbapi2.connect(
            str(path), timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        for pragma in PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(CREATE)
        end = end_of(self._connection)
        if end is None:
            self._finish()
        else:
            self._writer, self._head = path.stem, end
            self._rows = SegmentRows(self._connection)

    def _own(self, path: Path) -> bool:
        descriptor = None if path == self._failed else lock(path)
        if descriptor is None:
            return False
        # Under the lock: its last owner may have filled it a moment ago, or it was pruned.
        if is_full(path) or not path.exists():
            os.close(descriptor)
            return False
        self._owned = descriptor
        return True

    def _finish(self) -> None:
        if self._path is not None:
            mark_full(self._path)
        self.close()

    def close(self) -> None:
        """Give the segment up; whoever comes next adopts it."""
        if self._connection is not None:
            self._connection.close()
        if self._owned is not None:
            os.close(self._owned)
        self._connection, self._rows, self._owned, self._path = None, None, None, None


def seal(directory: Path) -> None:
    """Index full segments, which nobody writes any more; any number of processes may try.

    Raises:
        OSError: some could not be sealed; the others are.
    """
    failed = 0
    for path in segment_list(directory).now().unsealed:
        descriptor = lock(path) if is_full(path) else None
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
    # mode=rw: what was pruned meanwhile must not be made anew.
    connection = dbapi2.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA cache_size=-{_SORTING}")
        connection.execute("BEGIN IMMEDIATE")
        alike = marks.uniform(connection)
        for name, statement in _INDEX.items():
            if name not in alike:
                connection.execute(statement)
        connection.execute("COMMIT")
        mark = marks.describe(connection, alike)
        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    # Who reads a sealed segment passes over its write-ahead log; a reader in the way goes soon.
    if not busy:
        marks.write(path, mark)


def lock(path: Path) -> int | None:
    """Own a segment as long as the descriptor is open; None: another process does, or it is being pruned."""
    descriptor = os.open(path.with_suffix(_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not os.fstat(descriptor).st_nlink:  # removed while we waited: it locks nothing
        os.close(descriptor)
        return None
    return descriptor
