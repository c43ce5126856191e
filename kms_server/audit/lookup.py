"""Questions to the audit log: one query over every place that holds records, merged by event id."""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import TypeAlias

from sqlalchemy import ColumnElement, Select, Table, select

from kms_server.audit import event_id, matching
from kms_server.audit.marks import value_of
from kms_server.audit.matching import Filter
from kms_server.audit.merge import Rows, begins, merged
from kms_server.audit.pages import Query, match, scan, seek
from kms_server.audit.places import Plan, Source
from kms_server.audit.record import Row, columns_of
from kms_server.storage.resource_types import RESOURCE_TYPES

_FIRST, _BEHIND = "", "g"  # around all event ids, in every collation: they begin with a hexadecimal digit


_Conditions: TypeAlias = list[ColumnElement[bool]]
_TWOFOLD = ("resource", "resource_type")  # attributes that two columns may have
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
    shape = query.shape
    by_index = partial(match, shape)
    plan = Plan(
        # The id alone finds its row; a range would be walked for it.
        seek=by_index if attribute == "event_id" else partial(seek, shape), match=by_index,
        scan=partial(scan, shape) if attribute in _TWOFOLD else by_index,
        values=query.values(*bounds), low=first, high=last, newest_first=True, is_page=True,
        value=None if attribute == "event_id" else value_of(query.account, query.region, query.attribute),
    )  # fmt: skip
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

    def statements(table: Table) -> tuple[Select[Row], ...]:
        met = [*matching.conditions(table, wanted), *_within(table, low, high)]
        order = table.c.event_id.desc() if wanted.newest_first else table.c.event_id
        return tuple(
            select(*columns_of(table)).where(*met, one).order_by(order).limit(limit)
            for one in matching.alternatives(table, wanted)
        )

    first, last = wanted.event_id or low or _FIRST, wanted.event_id or high or _BEHIND
    plan = Plan(statements, statements, statements, {}, first, last, newest_first=wanted.newest_first)
    rows = _answer(places, plan)
    return islice(filter(matches, rows) if matches else rows, wanted.limit)


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
