"""The embedded audit log: a file of the process's own, so that no two processes wait for each other.

A segment is an SQLite database with the table alone, in WAL mode with `synchronous=FULL`: each commit syncs the
write-ahead log once. Its owner holds an flock on a file beside it (never on the database file: closing that would
drop SQLite's own locks). Full segments are sealed: indexed once, and read only from then on.
"""

import fcntl
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from pysqlite3 import dbapi2
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from kms_server.audit.record import Row
from kms_server.config import Limits
from kms_server.storage.tables import audit_events, audit_indexes

_CREATE = str(CreateTable(audit_events, if_not_exists=True).compile(dialect=sqlite.dialect()))
_INDEX = [
    str(CreateIndex(index, if_not_exists=True).compile(dialect=sqlite.dialect())) for index in audit_indexes
]
# The state of a segment stands in empty files beside it: renaming a database would part it from its log.
_FULL, _SEALED = ".full", ".sealed"
# One statement, which is one transaction and one step: SQLite gives Python's lock up once per step, and a batch
# of steps beside a busy event loop would wait for it as often as it has rows.
_VALUES = ", ".join(f"value ->> {index}" for index in range(len(Row._fields)))
_INSERT = f"INSERT OR IGNORE INTO audit_events SELECT {_VALUES} FROM json_each(?)"  # noqa: S608 - numbers alone


def segment_files(directory: Path) -> list[Path]:
    """All segments, whatever their state."""
    return sorted(directory.glob("*.db"))


class SegmentLog:
    """Appends to a segment that this process owns; opened at the first append, after any fork."""

    def __init__(self, directory: Path, limits: Limits) -> None:
        self._directory = directory
        self._limit = limits.segment_rows
        self._connection: Any = None
        self._path: Path | None = None
        self._owned: int | None = None
        self._rows = 0

    def append(self, rows: Sequence[Row]) -> None:
        """Store rows durably.

        Raises:
            dbapi2.Error, OSError: nothing of the batch was stored; the next append begins a fresh segment.
        """
        try:
            if self._connection is None:
                self._open()
            self._connection.execute(_INSERT, (orjson.dumps([list(row) for row in rows]).decode(),))
        except (dbapi2.Error, OSError):
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
        self._connection = dbapi2.connect(str(path), isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(_CREATE)
        self._rows = self._connection.execute("SELECT count(*) FROM audit_events").fetchone()[0]

    def _own(self, path: Path) -> bool:
        descriptor = None if path.with_suffix(_FULL).exists() else _lock(path)
        if descriptor is None:
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
    """Index full segments, which nobody writes any more; any number of processes may try."""
    for full in directory.glob(f"*{_FULL}"):
        sealed, path = full.with_suffix(_SEALED), full.with_suffix(".db")
        descriptor = None if sealed.exists() else _lock(path)
        if descriptor is None:
            continue
        connection = dbapi2.connect(str(path), isolation_level=None)
        try:
            for statement in _INDEX:
                connection.execute(statement)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            sealed.touch(mode=0o600)
        finally:
            connection.close()
            os.close(descriptor)


def _lock(path: Path) -> int | None:
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
