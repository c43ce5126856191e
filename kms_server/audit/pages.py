"""A page of LookupEvents, as statements over the tables that hold records.

Statements are written once for all questions of one shape, and take the values at each execution: writing one takes
longer than a dozen segments take to answer it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    and_,
    bindparam,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from kms_server.audit.record import columns_of
from kms_server.storage.resource_types import resource_type

RESOURCES = ("resource_1", "resource_2")
_SHAPES = 256
_Conditions: TypeAlias = list[ColumnElement[bool]]
_Statements: TypeAlias = tuple[Select[Any], ...]


class Shape(NamedTuple):
    """What the statements of a question depend on."""

    attribute: str | None
    limit: int
    event_names: tuple[str, ...]
    succeeded: bool


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

    @property
    def shape(self) -> Shape:
        """What its statements depend on."""
        attribute = None if self.attribute is None else self.attribute[0]
        return Shape(attribute, self.limit, self.event_names, self.succeeded)

    def values(self, low: str, behind: str) -> dict[str, str | bool]:
        """What its statements take, for event ids from `low` to before `behind`."""
        name, value = self.attribute or ("", "")
        return {
            "account": self.account, "region": self.region, "low": low, "behind": behind,
            "value": value == "true" if name == "read_only" else value,
        }  # fmt: skip


def _text(name: str) -> BindParameter[str]:
    return bindparam(name, type_=String())


_ACCOUNT, _REGION, _VALUE, _LOW, _BEHIND = map(_text, ("account", "region", "value", "low", "behind"))
_FLAG = bindparam("value", type_=Boolean())


class _Sought(NamedTuple):
    """An expression by whose value an index is in order, below account and Region; `given` holds besides."""

    expression: tuple[ColumnElement[Any], ...]
    value: tuple[BindParameter[Any], ...]
    given: tuple[ColumnElement[bool], ...] = ()


@lru_cache(_SHAPES)
def seek(shape: Shape, table: Table) -> _Statements:
    """A page as ranges of one index each, for PostgreSQL.

    Range and order name all columns of the index, so that no other index gives the order: the planner would take one by
    which it expects a match soon, and walk the log for a value that is common in one account and absent in another.
    """
    return tuple(_range(shape, table, one) for one in _sought(table, shape.attribute))


def _range(shape: Shape, table: Table, one: _Sought) -> Select[Any]:
    keys = (table.c.account, table.c.region, *one.expression, table.c.event_id)
    low, high = (tuple_(_ACCOUNT, _REGION, *one.value, bound) for bound in (_LOW, _BEHIND))
    return (
        select(*columns_of(table))
        .where(tuple_(*keys) >= low, tuple_(*keys) < high, *one.given, *_besides(shape, table))
        .order_by(*(key.desc() for key in keys))
        .limit(_limit(shape))
    )


@lru_cache(_SHAPES)
def match(shape: Shape, table: Table) -> _Statements:
    """The same for SQLite, which takes the index that has most of the columns."""
    return tuple(_page(shape, table, one) for one in _conditions(table, shape.attribute))


@lru_cache(_SHAPES)
def scan(shape: Shape, table: Table) -> _Statements:
    """The same where only the event ids are in order."""
    return (_page(shape, table, or_(*_conditions(table, shape.attribute))),)


def _page(shape: Shape, table: Table, condition: ColumnElement[bool]) -> Select[Any]:
    columns = table.c
    return (
        select(*columns_of(table))
        .where(columns.account == _ACCOUNT, columns.region == _REGION, condition)
        .where(columns.event_id >= _LOW, columns.event_id < _BEHIND, *_besides(shape, table))
        .order_by(columns.event_id.desc())
        .limit(_limit(shape))
    )


def _limit(shape: Shape) -> ColumnElement[int]:
    # In the text: SQLite plans a statement anew at each execution when its limit is a parameter.
    return literal_column(str(shape.limit), Integer())


def _conditions(table: Table, attribute: str | None) -> Sequence[ColumnElement[bool]]:
    return [
        and_(
            true(), *one.given, *(key == value for key, value in zip(one.expression, one.value, strict=True))
        )
        for one in _sought(table, attribute)
    ]


def _sought(table: Table, attribute: str | None) -> list[_Sought]:
    """What a row has one or more of."""
    columns = table.c
    match attribute:
        case None:
            return [_Sought((), ())]
        case "event_id":
            return [_Sought((), (), (columns.event_id == _VALUE,))]
        case "read_only":
            return [_Sought((columns.read_only,), (_FLAG,))]
        case "resource":
            return [_Sought((columns[name],), (_VALUE,)) for name in RESOURCES]
        case "resource_type":
            # Their indexes have only rows with such a resource.
            return [
                _Sought((resource_type(name),), (_VALUE,), (columns[name].is_not(None),))
                for name in RESOURCES
            ]
        case name:
            return [_Sought((columns[name],), (_VALUE,))]


def _besides(shape: Shape, table: Table) -> _Conditions:
    conditions: _Conditions = []
    if shape.event_names:
        conditions.append(table.c.event_name.in_([literal(name) for name in shape.event_names]))
    if shape.succeeded:
        conditions.append(table.c.error_code.is_(None))
    return conditions
