"""What the log is pruned by: whole segments, batches of a chain, and rows of before there were chains.

Units of one kind come oldest first, and each is looked for only when it is asked for.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote

from pysqlite3 import dbapi2
from sqlalchemy import ColumnElement, Table

from kms_server.audit import last_use, marks
from kms_server.audit.last_use import Uses
from kms_server.audit.segment_removal import remove, segment_sizes
from kms_server.audit.segments import is_chained, segment_files
from kms_server.storage import audit_pruning
from kms_server.storage.audit_holds import Holds
from kms_server.storage.audit_pruning import Unchained, Window
from kms_server.storage.audit_tables import audit_events
from kms_server.storage.audit_writers import Head
from kms_server.storage.database import Database

_LOG = logging.getLogger(__name__)


class Unit(Protocol):
    """A part of the log that goes at once."""

    @property
    def newest(self) -> str:
        """Its largest event id."""

    @property
    def rows(self) -> int:
        """How many there are."""

    @property
    def size(self) -> int:
        """Bytes, for rows of the shared database about so many."""

    @property
    def writer(self) -> str | None:
        """Whose chain it is in, if any."""

    @property
    def end(self) -> Head | None:
        """Up to where the chain is pruned with it; None: the whole chain goes."""

    def add_uses(self, uses: Uses, database: Database) -> None:
        """Add the last uses of keys that are recorded in it.

        Raises:
            OSError: it cannot be read.
            ValueError, KeyError: a record is none.
        """

    def remove(self, database: Database) -> bool:
        """Remove it; False: another process is at it.

        Raises:
            OSError
        """


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A sealed segment of management events, or of data events."""

    path: Path
    is_data: bool
    newest: str
    rows: int
    size: int
    end: None = None

    @property
    def writer(self) -> str:
        """Its writer, named as the file."""
        return self.path.stem

    def add_uses(self, uses: Uses, _: Database) -> None:
        """Add last uses."""
        if self.is_data:
            return
        try:
            last_use.add_of_segment(uses, self.path)
        except dbapi2.Error as error:
            if self.path.exists():
                raise OSError(f"the audit segment {self.path} cannot be read: {error}") from None

    def remove(self, _: Database) -> bool:
        """Remove the files."""
        return remove(self.path)


class Sealed(NamedTuple):
    """A sealed segment, its largest event id, and the bytes of its files."""

    newest: str
    path: Path
    size: int


def sealed(directory: Path) -> list[Sealed]:
    """The sealed segments of a directory, oldest first."""
    sizes = segment_sizes(directory)
    found = ((marks.read(path), path) for path in segment_files(directory))
    return sorted(
        Sealed(mark.last, path, sizes.get(path.stem, 0)) for mark, path in found if mark is not None
    )


def sealed_segments(segments: Sequence[Sealed], holds: Holds, *, is_data: bool) -> Iterator[Unit]:
    """Those of sealed segments that nobody has yet to read; those that cannot be read stay."""
    for newest, path, size in segments:
        try:
            rows, has_chain = _inside(path)
        except dbapi2.Error as error:
            if path.exists():
                _LOG.error("the audit segment %s is not pruned: %s", path, error)
            continue
        if not has_chain or holds.ceiling(path.stem, rows) == rows:
            yield SealedSegment(path, is_data, newest, rows, size)


def _inside(path: Path) -> tuple[int, bool]:
    """How many rows a segment has, and whether they are in a chain."""
    with closing(dbapi2.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as connection:
        ((rows,),) = connection.execute("SELECT coalesce(max(rowid), 0) FROM audit_events")
        return rows, is_chained(connection)


@dataclass(frozen=True, slots=True)
class ChainedRows:
    """Whole batches of a chain in a table of the shared database."""

    table: Table
    writer: str
    window: Window
    size: int

    @property
    def newest(self) -> str:
        """Its largest event id."""
        return self.window.newest

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.window.end.seq - self.window.after

    @property
    def end(self) -> Head:
        """Where the chain is pruned up to with it."""
        return self.window.end

    def add_uses(self, uses: Uses, database: Database) -> None:
        """Add last uses."""
        columns = self.table.c
        first, last = self.window.after + 1, self.window.end.seq
        _add_uses(
            uses, database, self.table, (columns.writer == self.writer) & columns.seq.between(first, last)
        )

    def remove(self, database: Database) -> bool:
        """Delete the rows."""
        with database.index() as connection:
            return audit_pruning.remove(connection, self.table, self.writer, self.window)


def chained_rows(
    database: Database,
    table: Table,
    writer: str,
    after: int,
    ceiling: int,
    cutoff: str,
    rows: int,
    row_size: int,
) -> Iterator[Unit]:
    """The batches of a chain behind number `after` up to number `ceiling`, about `rows` rows a time.

    Where batches are older than the event id `cutoff`, the others are apart from them.
    """
    while after < ceiling:
        with database.read() as connection:
            found = audit_pruning.window(connection, table, writer, after, ceiling, cutoff, rows)
        if found is None:
            return
        yield ChainedRows(table, writer, found, row_size * (found.end.seq - after))
        after = found.end.seq


@dataclass(frozen=True, slots=True)
class UnchainedRows:
    """Rows of before there were chains."""

    table: Table
    part: Unchained
    size: int
    writer: None = None
    end: None = None

    @property
    def newest(self) -> str:
        """Its largest event id."""
        return self.part.newest

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.part.rows

    def add_uses(self, uses: Uses, database: Database) -> None:
        """Add last uses."""
        columns = self.table.c
        old = columns.event_id.between(self.part.oldest, self.part.newest)
        _add_uses(uses, database, self.table, columns.writer.is_(None) & old)

    def remove(self, database: Database) -> bool:
        """Delete the rows."""
        with database.index() as connection:
            audit_pruning.remove_unchained(connection, self.table, self.part)
        return True


def unchained_rows(database: Database, table: Table, rows: int, row_size: int) -> Iterator[Unit]:
    """The rows of before there were chains, `rows` a time."""
    after = ""
    while True:
        with database.read() as connection:
            found = audit_pruning.unchained(connection, table, after, rows)
        if found is None:
            return
        yield UnchainedRows(table, found, row_size * found.rows)
        after = found.newest


def _add_uses(uses: Uses, database: Database, table: Table, within: ColumnElement[bool]) -> None:
    if table is audit_events:
        with database.read() as connection:
            last_use.add_of_table(uses, connection, within)
