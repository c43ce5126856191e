"""Questions to the audit log: one query over every place that holds records, merged by event id."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from sqlalchemy import ColumnElement, Select, Table, false, select, true

from kms_server.audit import event_id, matching
from kms_server.audit.matching import Filter
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
    """The rows that match, oldest first unless the newest are wanted first.

    Raises:
        OperatorError: a segment cannot be read.
    """
    low, high = _range(wanted.since, wanted.until)
    matches = matching.matcher(wanted)
    # What a statement finds may be more than what matches.
    limit = None if matches else wanted.limit

    def statements(table: Table) -> list[Select[Row]]:
        met = [*matching.conditions(table, wanted), *_within(table, low, high)]
        order = table.c.event_id.desc() if wanted.newest_first else table.c.event_id
        return [
            select(*columns_of(table)).where(*met, one).order_by(order).limit(limit)
            for one in matching.alternatives(table, wanted)
        ]

    first, last = wanted.event_id or low or _FIRST, wanted.event_id or high or _LAST
    rows = _answer(places, Plan(statements, first, last, newest_first=wanted.newest_first))
    return islice(filter(matches, rows) if matches else rows, wanted.limit)


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
