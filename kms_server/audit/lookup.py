"""Questions to the audit log: one query over every place that holds records, merged by event id."""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pysqlite3 import dbapi2
from sqlalchemy import URL, ColumnElement, Engine, Select, create_engine, false, or_, select
from sqlalchemy.pool import NullPool

from kms_server.audit import event_id
from kms_server.audit.record import Row
from kms_server.audit.segments import segment_files
from kms_server.storage.tables import audit_events

Source = Engine
_COLUMNS = audit_events.c
_KEY_TYPE = "AWS::KMS::Key"


@dataclass(frozen=True, slots=True)
class Query:
    """What LookupEvents asks; times are inclusive epoch seconds, `after` is the last event id already seen."""

    account: str
    region: str
    attribute: tuple[str, str] | None
    start: float | None
    end: float | None
    after: str | None
    limit: int
    event_names: tuple[str, ...] = ()
    succeeded: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """What the command line asks; None matches everything."""

    resource: str | None = None
    event_name: str | None = None
    username: str | None = None
    access_key_id: str | None = None
    error_code: str | None = None
    account: str | None = None
    region: str | None = None
    since: float | None = None
    until: float | None = None
    limit: int | None = None


def sources(engine: Engine, segments: Path | None) -> list[Source]:
    """The main database and every segment."""
    found = [engine]
    if segments is not None:
        found += [_segment(path) for path in segment_files(segments)]
    return found


def lookup(places: Iterable[Source], query: Query) -> list[Row]:
    """Up to `query.limit` rows, newest first; no record twice."""
    statement = select(audit_events).where(
        _COLUMNS.account == query.account, _COLUMNS.region == query.region, *_conditions(query)
    )
    statement = statement.order_by(_COLUMNS.event_id.desc()).limit(query.limit)
    return list(islice(_merged(places, statement, newest_first=True), query.limit))


def stream(places: Iterable[Source], wanted: Filter) -> Iterator[Row]:
    """The rows that match, oldest first."""
    conditions = [
        getattr(_COLUMNS, name) == value
        for name in ("event_name", "username", "access_key_id", "error_code", "account", "region")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.resource is not None:
        conditions.append(_names(wanted.resource))
    conditions += _between(wanted.since, wanted.until)
    statement = select(audit_events).where(*conditions).order_by(_COLUMNS.event_id)
    return islice(_merged(places, statement, newest_first=False), wanted.limit)


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    conditions = _between(query.start, query.end)
    if query.after is not None:
        conditions.append(_COLUMNS.event_id < query.after)
    if query.event_names:
        conditions.append(_COLUMNS.event_name.in_(query.event_names))
    if query.succeeded:
        conditions.append(_COLUMNS.error_code.is_(None))
    if query.attribute is not None:
        conditions.append(_attribute(*query.attribute))
    return conditions


def _attribute(column: str, value: str) -> ColumnElement[bool]:
    if column == "resource":
        return _names(value)
    if column == "resource_type":
        return _COLUMNS.resource_1.is_not(None) if value == _KEY_TYPE else false()
    if column == "read_only":
        return _COLUMNS.read_only.is_(value == "true") if value in ("true", "false") else false()
    return _COLUMNS[column] == value


def _names(resource: str) -> ColumnElement[bool]:
    return or_(_COLUMNS.resource_1 == resource, _COLUMNS.resource_2 == resource)


def _between(start: float | None, end: float | None) -> list[ColumnElement[bool]]:
    """Records carry whole seconds, so the end's second is included whole."""
    conditions = []
    if start is not None:
        conditions.append(_COLUMNS.event_id >= event_id.floor(int(start)))
    if end is not None:
        conditions.append(_COLUMNS.event_id < event_id.floor(int(end) + 1))
    return conditions


def _merged(places: Iterable[Source], statement: Select[Row], *, newest_first: bool) -> Iterator[Row]:
    with ExitStack() as stack:
        parts = [_rows(stack, place, statement) for place in places]
        last = None
        for row in heapq.merge(*parts, key=lambda row: row.event_id, reverse=newest_first):
            if row.event_id != last:
                yield row
            last = row.event_id


def _rows(stack: ExitStack, place: Source, statement: Select[Row]) -> Iterator[Row]:
    connection = stack.enter_context(place.connect())
    rows = connection.execution_options(yield_per=256).execute(statement)
    return (Row._make(row) for row in rows)


def _segment(path: Path) -> Engine:
    # mode=rw: looking must never create a file.
    url = URL.create("sqlite+pysqlite", database=f"file:{path}", query={"mode": "rw", "uri": "true"})
    return create_engine(url, module=dbapi2, poolclass=NullPool, hide_parameters=True)
