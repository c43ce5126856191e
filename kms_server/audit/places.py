"""The places that hold records, and how each is asked."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from pysqlite3 import dbapi2
from sqlalchemy import Engine, Select, Table
from sqlalchemy.dialects import sqlite

from kms_server.audit.merge import Part, Rows
from kms_server.audit.record import Row
from kms_server.audit.segments import sealed_range, segment_files
from kms_server.errors import OperatorError
from kms_server.storage.tables import audit_data_events, audit_events

_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = ?"
_DIALECT = sqlite.dialect(paramstyle="named")


@dataclass(frozen=True)
class Plan:
    """Statements whose ordered results together are the answer, all of it within event ids `low` to `high`.

    `statements` writes them for one of the tables, which have the same columns.
    """

    statements: Callable[[Table], Sequence[Select[Row]]]
    low: str
    high: str
    newest_first: bool

    @cached_property
    def sqlite(self) -> list[tuple[str, dict[str, Any]]]:
        """The statements as SQLite takes them, written once for all segments."""
        compiled = [
            one.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
            for one in self.statements(audit_events)
        ]
        return [(one.string, dict(one.params)) for one in compiled]


class Source(Protocol):
    """A place that holds records."""

    def part(self, plan: Plan) -> Part | None:
        """What the place gives to the answer; None when it has nothing in the plan's range."""


def sources(engine: Engine, segments: Path | None, *, data: bool = False) -> list[Source]:
    """The main database and every segment, of management events or of data events."""
    found: list[Source] = [_Table(engine, audit_data_events if data else audit_events)]
    if segments is not None:
        found += [_Segment(path) for path in segment_files(segments)]
    return found


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the main database."""

    engine: Engine
    table: Table

    def part(self, plan: Plan) -> Part:
        return Part(None, partial(self._rows, plan))

    def _rows(self, plan: Plan) -> Rows:
        with self.engine.connect() as connection, ExitStack() as cursors:
            reader = connection.execution_options(yield_per=256)
            # A page often ends before its cursors do.
            results = [
                cursors.enter_context(closing(reader.execute(one))) for one in plan.statements(self.table)
            ]
            yield from _in_order([map(Row._make, result) for result in results], plan)


@dataclass(frozen=True, slots=True)
class _Segment:
    """A segment of any state."""

    path: Path

    def part(self, plan: Plan) -> Part | None:
        known = sealed_range(self.path)
        if known is None:
            return Part(None, partial(self._rows, plan))
        first, last = known
        if first > plan.high or last < plan.low:
            return None
        return Part(last if plan.newest_first else first, partial(self._rows, plan))

    def _rows(self, plan: Plan) -> Rows:
        # mode=rw: looking must never create a file.
        address = f"file:{quote(str(self.path))}?mode=rw"
        try:
            with closing(dbapi2.connect(address, uri=True, isolation_level=None)) as connection:
                # Its owner may have made the file this very moment.
                if connection.execute(_HAS_TABLE, (audit_events.name,)).fetchone():
                    results = [map(_row, connection.execute(*statement)) for statement in plan.sqlite]
                    yield from _in_order(results, plan)
        except dbapi2.Error as error:
            if not self.path.exists():  # pruned meanwhile
                return
            raise OperatorError(f"the audit segment {self.path} cannot be read: {error}") from None


def _in_order(results: Sequence[Iterable[Row]], plan: Plan) -> Iterator[Row]:
    return heapq.merge(*results, key=attrgetter("event_id"), reverse=plan.newest_first)


def _row(values: Iterable[Any]) -> Row:
    row = Row._make(values)
    return row._replace(read_only=bool(row.read_only))
