"""The files of the embedded audit log: what a segment is, and the states it goes through.

A segment is an SQLite database with the table alone, in WAL mode with `synchronous=FULL`: each commit syncs the
write-ahead log once. It is a writer of its own, whose numbers are those of its rows (rowid), and belongs to one process, so
that no two wait for each other. Its owner holds an flock on a file beside it (never on the database file: closing that would
drop SQLite's own locks). Full segments are sealed: indexed once, and read only from then on.
"""

import fcntl
import os
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from kms_server.storage.audit_tables import audit_events
from kms_server.storage.audit_writers import START, Head

CREATE = str(CreateTable(audit_events, if_not_exists=True).compile(dialect=sqlite.dialect()))
# The state of a segment stands in files beside it: renaming a database would part it from its log.
_FULL, _LOCK = ".full", ".lock"
_IS_CHAINED = "SELECT 1 FROM pragma_table_info('audit_events') WHERE name = 'link'"
# Holds up no other sync for long.
_STEP = bytes(2**18)
_LAST = "SELECT rowid, seq, link FROM audit_events ORDER BY rowid DESC LIMIT 1"


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


def make_room(path: Path, size: int) -> None:
    """Have the blocks of a file there, `size` bytes or a step more, before anybody waits for them.

    A sync of a file that grows costs several times one that overwrites. What is there stays.
    """
    with path.open("r+b", buffering=0) as file:
        while file.seek(0, os.SEEK_END) < size:
            file.write(_STEP)
            os.fsync(file.fileno())


def end_of(connection: Any) -> Head | None:  # noqa: ANN401 - the driver has no types
    """Where the chain of a segment ends; None where none can be made longer: it is older than chains, or was changed."""
    if not is_chained(connection):
        return None
    last = connection.execute(_LAST).fetchone()
    if last is None:
        return START
    row, seq, link = last
    return Head(seq, link) if row == seq and link is not None else None


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
