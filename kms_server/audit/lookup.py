"""Questions to the audit log: one query over every place that holds records, merged by event id."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import orjson
from sqlalchemy import ColumnElement, Select, Table, false, select, true

from kms_server.audit import event_id
from kms_server.audit.merge import Rows, merged
from kms_server.audit.places import Plan, Source
from kms_server.audit.record import Row, columns_of

_KEY_TYPE = "AWS::KMS::Key"
_FIRST, _LAST = "", "~"  # before and behind every event id


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
    """What the command line asks; None matches everything. `context` are pairs that an encryption context has."""

    resource: str | None = None
    event_name: str | None = None
    username: str | None = None
    access_key_id: str | None = None
    error_code: str | None = None
    account: str | None = None
    region: str | None = None
    request_id: str | None = None
    since: float | None = None
    until: float | None = None
    context: tuple[tuple[str, str], ...] = ()
    limit: int | None = None


_Conditions: TypeAlias = list[ColumnElement[bool]]


def lookup(places: Iterable[Source], query: Query) -> list[Row]:
    """Up to `query.limit` rows, newest first; no record twice.

    Raises:
        OperatorError: a segment cannot be read.
    """
    low, high = _range(query.start, query.end)

    def statements(table: Table) -> list[Select[Row]]:
        conditions = [*_of_query(table, query), *_within(table, low, high)]
        return [
            select(*columns_of(table))
            .where(*conditions, one)
            .order_by(table.c.event_id.desc())
            .limit(query.limit)
            for one in _alternatives(table, query.attribute)
        ]

    first = low
    bounds = [high, query.after]
    if query.attribute is not None and query.attribute[0] == "event_id":
        first = max(low or "", query.attribute[1])
        bounds.append(query.attribute[1])
    plan = Plan(statements, first or _FIRST, min(bound or _LAST for bound in bounds), newest_first=True)
    return list(islice(_answer(places, plan), query.limit))


def stream(places: Iterable[Source], wanted: Filter) -> Iterator[Row]:
    """The rows that match, oldest first.

    Raises:
        OperatorError: a segment cannot be read.
    """
    low, high = _range(wanted.since, wanted.until)
    resource = None if wanted.resource is None else ("resource", wanted.resource)
    # What a statement finds of a context may be more than there is.
    limit = None if wanted.context else wanted.limit

    def statements(table: Table) -> list[Select[Row]]:
        conditions = [*_of_filter(table, wanted), *_within(table, low, high)]
        return [
            select(*columns_of(table)).where(*conditions, one).order_by(table.c.event_id).limit(limit)
            for one in _alternatives(table, resource)
        ]

    rows: Iterator[Row] = _answer(places, Plan(statements, low or _FIRST, high or _LAST, newest_first=False))
    if wanted.context:
        rows = (row for row in rows if _has_context(row, wanted.context))
    return islice(rows, wanted.limit)


def _of_query(table: Table, query: Query) -> _Conditions:
    columns = table.c
    conditions = [columns.account == query.account, columns.region == query.region]
    if query.after is not None:
        conditions.append(columns.event_id < query.after)
    if query.event_names:
        conditions.append(columns.event_name.in_(query.event_names))
    if query.succeeded:
        conditions.append(columns.error_code.is_(None))
    return conditions


def _of_filter(table: Table, wanted: Filter) -> _Conditions:
    columns = table.c
    conditions: _Conditions = [
        columns[name] == value
        for name in ("event_name", "username", "access_key_id", "error_code", "account", "region")
        if (value := getattr(wanted, name)) is not None
    ]
    # No column has the rest: such a question reads every record of its time, and none is asked often.
    texts = [f"{_json(name)}:{_json(value)}" for name, value in wanted.context]
    if wanted.request_id is not None:
        texts.append(f'"requestID":"{wanted.request_id}"')
    return conditions + [columns.record.contains(text, autoescape=True) for text in texts]


def _has_context(row: Row, pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether one of the encryption contexts of a record, of which ReEncrypt has two, has all the pairs."""
    parameters: Mapping[str, Any] = orjson.loads(row.record)["requestParameters"] or {}
    contexts = (value for name, value in parameters.items() if name.endswith("ncryptionContext"))
    return any(all(context.get(name) == value for name, value in pairs) for context in contexts)


def _json(text: str) -> str:
    return orjson.dumps(text).decode()


def _alternatives(table: Table, attribute: tuple[str, str] | None) -> _Conditions:
    """Conditions of which a row meets one or more; apart, each is a range of one index in the order asked for."""
    if attribute is None:
        return [true()]
    columns = table.c
    column, value = attribute
    if column == "resource":
        return [columns.resource_1 == value, columns.resource_2 == value]
    if column == "resource_type":
        return [columns.resource_1.is_not(None) if value == _KEY_TYPE else false()]
    if column == "read_only":
        return [columns.read_only.is_(value == "true") if value in ("true", "false") else false()]
    return [columns[column] == value]


def _range(start: float | None, end: float | None) -> tuple[str | None, str | None]:
    """The first event id of a time range and the one behind it.

    Records carry whole seconds, so the end's second is included whole.
    """
    first = None if start is None else event_id.floor(int(start))
    behind = None if end is None else event_id.floor(int(end) + 1)
    return first, behind


def _within(table: Table, low: str | None, high: str | None) -> _Conditions:
    conditions: _Conditions = []
    if low is not None:
        conditions.append(table.c.event_id >= low)
    if high is not None:
        conditions.append(table.c.event_id < high)
    return conditions


def _answer(places: Iterable[Source], plan: Plan) -> Rows:
    parts = [part for place in places if (part := place.part(plan)) is not None]
    return merged(parts, newest_first=plan.newest_first)
