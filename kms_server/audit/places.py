"""The places that hold records, and how each is asked."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pysqlite3 import dbapi2
from sqlalchemy import Engine, Select, Table
from sqlalchemy.dialects import sqlite

from kms_server.audit import backlog, value_filter
from kms_server.audit.merge import Part, Rows
from kms_server.audit.record import Row
from kms_server.audit.segment_list import Sealed, SegmentList, segment_list
from kms_server.audit.tail import has_rows, open_unsealed
from kms_server.errors import OperatorError
from kms_server.storage.audit_tables import audit_data_events, audit_events
from kms_server.storage.database import take_time

_DIALECT = sqlite.dialect(paramstyle="named")
_BATCH = 256
_TEXTS = 512

Statements: TypeAlias = list[tuple[str, dict[str, Any]]]
_Writer: TypeAlias = Callable[[Table], tuple[Select[Any], ...]]


@dataclass(frozen=True)
class Plan:
    """Statements whose ordered results together are the answer, all of it within event ids `low` to `high`.

    All write them for one of the tables, which have the same columns: `seek` for PostgreSQL, `match` for SQLite, `scan` for
    an SQLite table without indexes; they take `values`. `value` is one that a sealed segment's filter has if the segment
    has any of the answer; None where nothing is known. A page has few rows: it is read at once.
    """

    seek: _Writer
    match: _Writer
    scan: _Writer
    values: Mapping[str, Any]
    low: str
    high: str
    newest_first: bool
    value: int | None = None
    is_page: bool = False

    @cached_property
    def of_sealed(self) -> Statements:
        """What sealed segments are asked."""
        return self._for_segments(self.match)

    @cached_property
    def of_unsealed(self) -> Statements:
        """What the other segments are asked."""
        return self._for_segments(self.scan)

    def _for_segments(self, writer: _Writer) -> Statements:
        return [(text, {**given, **self.values}) for text, given in _written(writer(audit_events))]


@lru_cache(_TEXTS)
def _written(statements: tuple[Select[Any], ...]) -> Statements:
    """Statements as SQLite takes them."""
    compiled = [
        one.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}) for one in statements
    ]
    return [(one.string, dict(one.params)) for one in compiled]


class Source(Protocol):
    """A place that holds records."""

    def parts(self, plan: Plan) -> Iterator[Part]:
        """What the place gives to the answer, in the order of where it begins; what is not known comes first."""


def sources(engine: Engine, segments: Path | None, *, data: bool = False) -> list[Source]:
    """The main database and all segments, of management events or of data events."""
    found: list[Source] = [_Table(engine, audit_data_events if data else audit_events)]
    if segments is not None:
        found.append(_Segments(segment_list(segments)))
    return found


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the main database."""

    engine: Engine
    table: Table

    def parts(self, plan: Plan) -> Iterator[Part]:
        yield Part(None, partial(self._rows, plan))

    def _rows(self, plan: Plan) -> Rows:
        with self.engine.connect() as connection, ExitStack() as cursors:
            if not plan.is_page:
                take_time(connection)
            reader = connection if plan.is_page else connection.execution_options(yield_per=_BATCH)
            statements = plan.match if self.engine.dialect.name == "sqlite" else plan.seek
            # A page often ends before its cursors do.
            results = [
                cursors.enter_context(closing(reader.execute(one, plan.values)))
                for one in statements(self.table)
            ]
            yield from _in_order([map(Row._make, result) for result in results], plan)


@dataclass(frozen=True, slots=True)
class _Segments:
    """The segments of a directory."""

    segments: SegmentList

    def parts(self, plan: Plan) -> Iterator[Part]:
        listing = self.segments.now()
        backlog.wait(listing.unsealed)
        for path in listing.unsealed:
            yield Part(None, partial(self._page_of_tail if plan.is_page else _rows_of_unsealed, path, plan))
        for one in listing.newest_first if plan.newest_first else listing.oldest_first:
            mark = one.mark
            if mark.first > plan.high or mark.last < plan.low:
                continue
            if plan.value is None or value_filter.may_have(mark.values, plan.value):
                begin = mark.last if plan.newest_first else mark.first
                yield Part(begin, partial(self._rows_of_sealed, one, plan))

    def _rows_of_sealed(self, one: Sealed, plan: Plan) -> Rows:
        with _required(one.path), self.segments.sealed(one.path) as connection:
            yield from _answers(connection, plan.of_sealed, plan)

    def _page_of_tail(self, path: Path, plan: Plan) -> Rows:
        with _required(path), self.segments.tail(path) as tail:
            connection = tail.refreshed()
            if connection is not None:
                yield from _answers(connection, plan.of_unsealed, plan)


def _rows_of_unsealed(path: Path, plan: Plan) -> Rows:
    with _required(path), closing(open_unsealed(path)) as connection:
        if has_rows(connection):
            yield from _answers(connection, plan.of_unsealed, plan)


@contextmanager
def _required(path: Path) -> Iterator[None]:
    """A segment may be pruned between the listing and its turn; whatever else keeps one from being read is an error."""
    try:
        yield
    except dbapi2.Error as error:
        if path.exists():
            raise OperatorError(f"the audit segment {path} cannot be read: {error}") from None


def _answers(connection: Any, statements: Statements, plan: Plan) -> Rows:  # noqa: ANN401 - pysqlite3 has no types
    cursors = [connection.execute(*one) for one in statements]
    try:
        yield from _in_order([map(_row, cursor) for cursor in cursors], plan)
    finally:
        # A page often ends before its cursors do, and an open one holds its segment.
        for cursor in cursors:
            cursor.close()


def _in_order(results: Sequence[Iterable[Row]], plan: Plan) -> Iterable[Row]:
    if len(results) == 1:
        return results[0]
    return heapq.merge(*results, key=attrgetter("event_id"), reverse=plan.newest_first)


def _row(values: Iterable[Any]) -> Row:
    row = Row._make(values)
    return row._replace(read_only=bool(row.read_only))
