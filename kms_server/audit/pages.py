"""A page of LookupEvents, as statements over the tables that hold records."""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Select, Table, and_, literal, or_, select, true, tuple_

from kms_server.audit.record import columns_of
from kms_server.storage.resource_types import resource_type

RESOURCES = ("resource_1", "resource_2")
_Conditions: TypeAlias = list[ColumnElement[bool]]


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


class _Sought(NamedTuple):
    """A value of an expression by which an index is in order, below account and Region; `given` holds besides."""

    expression: tuple[ColumnElement[Any], ...]
    value: tuple[str | bool, ...]
    given: tuple[ColumnElement[bool], ...] = ()


def seek(query: Query, bounds: tuple[str, str], table: Table) -> list[Select[Any]]:
    """A page as ranges of one index each, for PostgreSQL.

    Range and order name all columns of the index, so that no other index gives the order: the planner would take one by
    which it expects a match soon, and walk the log for a value that is common in one account and absent in another.
    """
    return [_range(query, bounds, table, one) for one in _sought(table, query.attribute)]


def _range(query: Query, bounds: tuple[str, str], table: Table, one: _Sought) -> Select[Any]:
    keys = (table.c.account, table.c.region, *one.expression, table.c.event_id)
    low, high = (tuple_(*map(literal, (query.account, query.region, *one.value, bound))) for bound in bounds)
    return (
        select(*columns_of(table))
        .where(tuple_(*keys) >= low, tuple_(*keys) < high, *one.given, *_besides(table, query))
        .order_by(*(key.desc() for key in keys))
        .limit(query.limit)
    )


def match(query: Query, bounds: tuple[str, str], table: Table) -> list[Select[Any]]:
    """The same for SQLite, which takes the index that has most of the columns."""
    return [_page(query, bounds, table, one) for one in _conditions(table, query.attribute)]


def scan(query: Query, bounds: tuple[str, str], table: Table) -> list[Select[Any]]:
    """The same where only the event ids are in order."""
    return [_page(query, bounds, table, or_(*_conditions(table, query.attribute)))]


def _page(query: Query, bounds: tuple[str, str], table: Table, condition: ColumnElement[bool]) -> Select[Any]:
    columns = table.c
    low, high = bounds
    return (
        select(*columns_of(table))
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
            return [_Sought((columns[name],), (value,)) for name in RESOURCES]
        case "resource_type", value:
            # Their indexes have only rows with such a resource.
            return [
                _Sought((resource_type(name),), (value,), (columns[name].is_not(None),)) for name in RESOURCES
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
