"""Where chains are, as verification reads them: it takes nothing for granted that others may, such as heads that fit."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from pysqlite3 import dbapi2
from sqlalchemy import Table, func, select

from kms_server.audit import backlog, marks
from kms_server.audit.chain import COLUMNS
from kms_server.audit.journal import Entry
from kms_server.audit.record import Row
from kms_server.audit.segments import segment_files
from kms_server.audit.verification.chains import place
from kms_server.audit.verification.findings import Finding, Findings, error, unchecked
from kms_server.storage import audit_writers
from kms_server.storage.audit_tables import audit_data_events
from kms_server.storage.audit_writers import START, Head
from kms_server.storage.database import Database, take_time

_AT_ONCE = 2_000
_READ_ONLY = COLUMNS.index("read_only")
_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'audit_events'"
_IS_CHAINED = "SELECT 1 FROM pragma_table_info('audit_events') WHERE name = 'link'"
_ENDS = "SELECT count(*), max(rowid), max(event_id) FROM audit_events"
_STRANGERS = "SELECT count(*) FROM audit_events WHERE writer IS NOT ? OR seq IS NOT rowid"
_PAGE = (
    f"SELECT {', '.join(COLUMNS)} FROM audit_events"  # noqa: S608 - names of columns alone
    " WHERE rowid > ? AND rowid <= ? AND writer IS ? AND seq IS rowid ORDER BY rowid LIMIT ?"
)


_UNMARK = (
    "remove the file that ends in .sealed: the server makes it anew; and find out who can write beside it"
)


class Unreadable(Exception):
    """The rows of a chain cannot be read: its file is damaged, or gone by now."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as it is found: where it begins, where it is said to end (None: nothing says so), and its rows.

    `entries` raises Unreadable.
    """

    writer: str
    is_data: bool
    pruned: Head
    head: Head | None
    rows: int
    entries: Callable[[], Iterator[Entry]]


@dataclass(slots=True)
class Survey:
    """What is in a place: its chains by writer, rows that are older than chains, and what is wrong at first sight."""

    chains: dict[str, Chain] = field(default_factory=dict)
    unchained: int = 0
    newest_unchained: str | None = None
    findings: list[Finding] = field(default_factory=list)


class Place(Protocol):
    """A place that holds chains."""

    def survey(self) -> Survey:
        """What is there at this moment."""

    def lookups(self) -> Findings:
        """What keeps lookups from rows that are there."""


@dataclass(frozen=True, slots=True)
class TablePlace:
    """A table of the shared database."""

    database: Database
    table: Table

    def survey(self) -> Survey:
        """What is there at this moment."""
        columns, found = self.table.c, Survey()
        counted = select(
            columns.writer,
            func.count(),
            func.count(columns.seq),
            func.min(columns.seq),
            func.max(columns.seq),
        ).group_by(columns.writer)
        unchained = select(func.max(columns.event_id)).where(columns.writer.is_(None))
        with self.database.read() as connection:
            take_time(connection)
            spans = {one.writer: one for one in audit_writers.chains(connection, is_data=self._is_data)}
            rows = {writer: tuple(rest) for writer, *rest in connection.execute(counted)}
            found.newest_unchained = connection.execute(unchained).scalar()
        found.unchained = rows.pop(None, (0,))[0]
        for writer in sorted({*spans, *rows}):
            self._add(found, writer, spans.get(writer), rows.get(writer, (0, 0, None, None)))
        return found

    def lookups(self) -> Findings:
        """The database keeps its indexes itself."""
        yield from ()

    @property
    def _is_data(self) -> bool:
        return self.table is audit_data_events

    def _add(
        self, found: Survey, writer: str, span: audit_writers.Chain | None, counted: tuple[Any, ...]
    ) -> None:
        rows, numbered, *ends = counted
        first, last = (end if isinstance(end, int) else None for end in ends)
        if rows != numbered:
            found.findings.append(
                error(place(writer), f"{rows - numbered} rows have no number: they were added")
            )
        if span is None:
            found.findings.append(
                error(place(writer), "there are rows, and nothing says where the chain ends")
            )
        else:
            if last is not None and last > span.head.seq:
                found.findings.append(
                    error(place(writer, span.head.seq + 1, last), "rows stand behind the end of the chain")
                )
            if first is not None and first <= span.pruned.seq:
                found.findings.append(
                    error(place(writer, first, span.pruned.seq), "rows are there that are said to be pruned")
                )
        pruned, head = (span.pruned, span.head) if span else (START, None)
        through = head.seq if head else (last or 0)
        entries = partial(self._entries, writer, pruned.seq, through)
        found.chains[writer] = Chain(writer, self._is_data, pruned, head, rows, entries)

    def _entries(self, writer: str, at: int, through: int) -> Iterator[Entry]:
        columns = self.table.c
        wanted = select(*(columns[name] for name in COLUMNS)).where(
            columns.writer == writer, columns.seq <= through
        )
        while True:
            with self.database.read() as connection:
                page = connection.execute(
                    wanted.where(columns.seq > at).order_by(columns.seq).limit(_AT_ONCE)
                )
                entries = [_entry(row) for row in page]
            yield from entries
            if len(entries) < _AT_ONCE:
                return
            at = entries[-1].seq


@dataclass(frozen=True, slots=True)
class SegmentPlace:
    """A directory of segments."""

    directory: Path
    is_data: bool

    def survey(self) -> Survey:
        """What is there at this moment."""
        found = Survey()
        segments = segment_files(self.directory)
        backlog.wait(segments)
        for path in segments:
            found.findings += _beside(path)
            try:
                self._add(found, path)
            except (dbapi2.Error, FileNotFoundError) as problem:
                if path.exists():
                    found.findings.append(
                        error(place(path.stem), f"the segment {path} cannot be read: {problem}")
                    )
        return found

    def lookups(self) -> Findings:
        """Marks of sealed segments that do not fit to the rows."""
        for path in segment_files(self.directory):
            mark = marks.read(path)
            # What cannot be read was told by the survey.
            with suppress(dbapi2.Error, FileNotFoundError), closing(_opened(path)) as connection:
                if mark is not None and mark != marks.describe(connection):
                    yield error(
                        place(path.stem),
                        "its mark does not fit to its rows: lookups may pass over them",
                        _UNMARK,
                    )

    def _add(self, found: Survey, path: Path) -> None:
        writer = path.stem
        with closing(_opened(path)) as connection:
            connection.execute("BEGIN")
            if not connection.execute(_HAS_TABLE).fetchone():
                return
            rows, last, newest = connection.execute(_ENDS).fetchone()
            if not connection.execute(_IS_CHAINED).fetchone():
                found.unchained += rows
                found.newest_unchained = max(found.newest_unchained or "", newest or "") or None
                return
            (strangers,) = connection.execute(_STRANGERS, (writer,)).fetchone()
        if strangers:
            found.findings.append(
                error(
                    place(writer),
                    f"{strangers} rows do not belong to its chain: they were added or renumbered",
                )
            )
        if rows:
            entries = partial(_entries_of, path, last)
            found.chains[writer] = Chain(writer, self.is_data, START, None, rows, entries)


def _entries_of(path: Path, through: int) -> Iterator[Entry]:
    at = 0
    try:
        with closing(_opened(path)) as connection:
            while page := connection.execute(_PAGE, (at, through, path.stem, _AT_ONCE)).fetchall():
                yield from map(_entry, page)
                at = page[-1][-2]
    except (dbapi2.Error, FileNotFoundError) as problem:
        raise Unreadable(f"the segment {path} cannot be read: {problem}") from None


def _beside(path: Path) -> Findings:
    """What stands beside a segment and not in it."""
    if backlog.is_orphaned(path):
        yield unchecked(
            place(path.stem),
            "records wait beside the segment that a killed process has left",
            "start the server once, which takes them into it",
        )
    rejected = path.with_suffix(backlog.REJECTED)
    if rejected.exists():
        yield error(place(path.stem), f"records in {rejected} did not follow the segment's last one")


def _entry(values: Any) -> Entry:  # noqa: ANN401 - a row of either driver
    *columns, _writer, seq, link = values
    columns[_READ_ONLY] = bool(columns[_READ_ONLY])
    row = Row(*columns)
    if (type(row.record), type(seq)) != (str, int) or type(link) not in (bytes, type(None)):
        raise Unreadable("it has values of another kind than any server writes")
    return Entry(seq, link, row)


def _opened(path: Path) -> Any:  # noqa: ANN401 - the driver has no types
    """A connection for reading; looking must never create a file."""
    return dbapi2.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None)
