"""The log as those read it who follow it: writer by writer, each in the order of its commits, without a gap.

Event ids are chosen before a record commits, so whoever follows the log by them would pass over what commits late.
"""

from collections.abc import Generator, Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pysqlite3 import dbapi2
from sqlalchemy import Engine, Table, select

from kms_server.audit import backlog, marks
from kms_server.audit.chain import COLUMNS
from kms_server.audit.record import Row
from kms_server.audit.segments import end_of, is_full, segment_files
from kms_server.errors import OperatorError
from kms_server.storage import audit_writers
from kms_server.storage.audit_tables import audit_data_events
from kms_server.storage.audit_writers import START, Head

_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'audit_events'"
_AFTER = f"SELECT {', '.join(COLUMNS)} FROM audit_events WHERE rowid > ? AND rowid <= ? ORDER BY rowid"  # noqa: S608 - names of columns alone
_AT_ONCE = 256
_READ_ONLY = Row._fields.index("read_only")  # SQLite has no booleans


class Entry(NamedTuple):
    """A row in its writer's chain; `link` is that of a batch's last row, else None."""

    seq: int
    link: bytes | None
    row: Row


class Ends(NamedTuple):
    """Where chains end now; and what is wrong with segments that cannot be read, by writer."""

    heads: Mapping[str, Head]
    unreadable: Mapping[str, str]


class Journal:
    """The chains of management events, or of data events; `segments` is the directory of the embedded log's."""

    def __init__(self, engine: Engine, table: Table, segments: Path | None) -> None:
        self._engine = engine
        self._table = table
        self._segments = segments

    @property
    def is_data(self) -> bool:
        """Whether these are data events."""
        return self._table is audit_data_events

    def heads(self) -> Mapping[str, Head]:
        """Where each chain ends now that can be read; see `ends`."""
        return self.ends().heads

    def ends(self) -> Ends:
        """Where each chain ends now. Rows of before there were chains belong to none."""
        with self._engine.connect() as connection:
            found = audit_writers.heads(connection, is_data=self.is_data)
        unreadable: dict[str, str] = {}
        segments = [] if self._segments is None else segment_files(self._segments)
        backlog.wait(segments)
        for path in segments:
            try:
                end = _end(path)
            except OperatorError as error:
                unreadable[path.stem] = str(error)
            else:
                found |= {path.stem: end} if end.seq else {}
        return Ends(found, unreadable)

    def after(self, writer: str, seq: int, through: int) -> Generator[Entry, None, None]:
        """The rows of a writer behind number `seq`, up to number `through`, in their order.

        Close it when it is left early: while it is open, an SQLite file's write-ahead log cannot be emptied.

        Raises:
            OperatorError: the writer's segment cannot be read.
        """
        path = None if self._segments is None else self._segments / f"{writer}.db"
        if path is not None and path.exists():
            return _of_segment(path, seq, through)
        return self._of_table(writer, seq, through)

    def _of_table(self, writer: str, seq: int, through: int) -> Generator[Entry, None, None]:
        columns = self._table.c
        statement = (
            select(*(columns[name] for name in COLUMNS))
            .where(columns.writer == writer, columns.seq > seq, columns.seq <= through)
            .order_by(columns.seq)
        )
        with self._engine.connect() as connection:
            reader = connection.execution_options(yield_per=_AT_ONCE)
            with closing(reader.execute(statement)) as rows:
                yield from map(_entry, rows)


def _of_segment(path: Path, seq: int, through: int) -> Generator[Entry, None, None]:
    try:
        with closing(_opened(path)) as connection:
            yield from map(_entry, connection.execute(_AFTER, (seq, through)))
    except dbapi2.Error as error:
        if not path.exists():  # pruned meanwhile
            return
        raise OperatorError(f"the audit segment {path} cannot be read: {error}") from None


def _entry(values: Any) -> Entry:  # noqa: ANN401 - a row of either driver
    *columns, _writer, seq, link = values
    columns[_READ_ONLY] = bool(columns[_READ_ONLY])
    return Entry(seq, link, Row._make(columns))


def _end(path: Path) -> Head:
    """Where a segment's chain ends; what is full does not change any more."""
    return _end_of_full(path) if is_full(path) else _read_end(path)


@lru_cache(maxsize=4096)
def _end_of_full(path: Path) -> Head:
    return _read_end(path)


def _read_end(path: Path) -> Head:
    try:
        with closing(_opened(path)) as connection:
            # Its owner may have made the file this very moment.
            if not connection.execute(_HAS_TABLE).fetchone():
                return START
            return end_of(connection) or START
    except dbapi2.Error as error:
        if not path.exists():  # pruned meanwhile
            return START
        raise OperatorError(f"the audit segment {path} cannot be read: {error}") from None


def _opened(path: Path) -> Any:  # noqa: ANN401 - the driver has no types
    """A connection for reading; looking must never create a file, and what is sealed needs none beside it."""
    mode = "mode=ro&immutable=1" if path.with_suffix(marks.SUFFIX).exists() else "mode=rw"
    return dbapi2.connect(f"file:{quote(str(path))}?{mode}", uri=True, isolation_level=None)
