"""Questions to the audit log: one query over every place that holds records, merged by event id."""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import orjson
from sqlalchemy import ColumnElement, Select, Table, and_, literal, or_, select, true, tuple_

from kms_server.audit import event_id
from kms_server.audit.marks import value_of
from kms_server.audit.merge import Rows, begins, merged
from kms_server.audit.places import Plan, Source
from kms_server.audit.record import Row
from kms_server.storage.resource_types import RESOURCE_TYPES, resource_type

_FIRST, _BEHIND = "", "g"  # around all event ids, in every collation: they begin with a hexadecimal digit
_RESOURCES = ("resource_1", "resource_2")


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
# Attributes of which no record has any other value.
_KNOWN: Mapping[str, Collection[str]] = {"resource_type": RESOURCE_TYPES, "read_only": ("true", "false")}


def lookup(places: Iterable[Source], query: Query) -> list[Row]:
    """Up to `query.limit` rows, newest first; no record twice.

    Raises:
        OperatorError: a segment cannot be read.
    """
    attribute, value = query.attribute or ("", "")
    if value not in _KNOWN.get(attribute, (value,)):
        return []
    low, behind = _range(query.start, query.end)
    bounds = low or _FIRST, min(behind or _BEHIND, query.after or _BEHIND)
    first, last = bounds
    if attribute == "event_id":
        first, last = max(first, value), min(last, value)
    plan = Plan(
        seek=partial(_seek, query, bounds), match=partial(_match, query, bounds), scan=partial(_scan, query, bounds),
        low=first, high=last, newest_first=True, is_page=True,
        value=None if attribute == "event_id" else value_of(query.account, query.region, query.attribute),
    )  # fmt: skip
    return list(islice(_answer(places, plan), query.limit))


def stream(places: Iterable[Source], wanted: Filter) -> Iterator[Row]:
    """The rows that match, oldest first.

    Raises:
        OperatorError: a segment cannot be read.
    """
    low, high = _range(wanted.since, wanted.until)
    # What a statement finds of a context may be more than there is.
    limit = None if wanted.context else wanted.limit

    def statements(table: Table) -> list[Select[Row]]:
        conditions = [*_of_filter(table, wanted), *_within(table, low, high)]
        of_resource = (
            [true()] if wanted.resource is None else [table.c[name] == wanted.resource for name in _RESOURCES]
        )
        return [
            _rows(table).where(*conditions, one).order_by(table.c.event_id).limit(limit)
            for one in of_resource
        ]

    plan = Plan(statements, statements, statements, low or _FIRST, high or _BEHIND, newest_first=False)
    rows: Iterator[Row] = _answer(places, plan)
    if wanted.context:
        rows = (row for row in rows if _has_context(row, wanted.context))
    return islice(rows, wanted.limit)


def _rows(table: Table) -> Select[Any]:
    return select(*(table.c[name] for name in Row._fields))


def _seek(query: Query, bounds: tuple[str, str], table: Table) -> list[Select[Any]]:
    """A page as ranges of one index each, for PostgreSQL.

    Range and order name all columns of the index, so that no other index gives the order: the planner would take one by
    which it expects a match soon, and walk the log for a value that is common in one account and absent in another.
    """
    columns = table.c
    return [
        _rows(table)
        .where(
            tuple_(*keys, columns.event_id) >= tuple_(*values, literal(bounds[0])),
            tuple_(*keys, columns.event_id) < tuple_(*values, literal(bounds[1])),
            *one.given,
            *_besides(table, query),
        )
        .order_by(*(key.desc() for key in keys), columns.event_id.desc())
        .limit(query.limit)
        for one in _sought(table, query.attribute)
        for keys, values in [
            (
                (columns.account, columns.region, *one.expression),
                (literal(query.account), literal(query.region), *map(literal, one.value)),
            )
        ]
    ]


def _match(query: Query, bounds: tuple[str, str], table: Table) -> list[Select[Any]]:
    """The same for SQLite, which takes the index that has most of the columns."""
    return [_page(query, bounds, table, one) for one in _conditions(table, query.attribute)]


def _scan(query: Query, bounds: tuple[str, str], table: Table) -> list[Select[Any]]:
    """The same where only the event ids are in order."""
    return [_page(query, bounds, table, or_(*_conditions(table, query.attribute)))]


def _page(query: Query, bounds: tuple[str, str], table: Table, condition: ColumnElement[bool]) -> Select[Any]:
    columns = table.c
    low, high = bounds
    return (
        _rows(table)
        .where(columns.account == query.account, columns.region == query.region, condition)
        .where(columns.event_id >= low, columns.event_id < high, *_besides(table, query))
        .order_by(columns.event_id.desc())
        .limit(query.limit)
    )


def _conditions(table: Table, attribute: tuple[str, str] | None) -> _Conditions:
    return [
        and_(
            true(), *one.given,
            *(key == literal(value) for key, value in zip(one.expression, one.value, strict=True)),
        )
        for one in _sought(table, attribute)
    ]  # fmt: skip


class _Sought(NamedTuple):
    """A value of an expression by which an index is in order, below account and Region; `given` holds besides."""

    expression: tuple[ColumnElement[Any], ...]
    value: tuple[str | bool, ...]
    given: tuple[ColumnElement[bool], ...] = ()


def _sought(table: Table, attribute: tuple[str, str] | None) -> list[_Sought]:
    """What a row has one or more of."""
    columns = table.c
    match attribute:
        case None:
            return [_Sought((), ())]
        case "event_id", value:
            return [_Sought((), (), (columns.event_id == value,))]
        case "read_only", value:
            return [_Sought((columns.read_only,), (value == "true",))]
        case "resource", value:
            return [_Sought((columns[name],), (value,)) for name in _RESOURCES]
        case "resource_type", value:
            # Their indexes have only rows with such a resource.
            return [
                _Sought((resource_type(name),), (value,), (columns[name].is_not(None),))
                for name in _RESOURCES
            ]
        case name, value:
            return [_Sought((columns[name],), (value,))]


def _besides(table: Table, query: Query) -> _Conditions:
    conditions: _Conditions = []
    if query.event_names:
        conditions.append(table.c.event_name.in_(query.event_names))
    if query.succeeded:
        conditions.append(table.c.error_code.is_(None))
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
    place = begins(newest_first=plan.newest_first)
    parts = heapq.merge(*(one.parts(plan) for one in places), key=lambda part: place(part.start))
    return merged(parts, newest_first=plan.newest_first)
