"""Questions to the audit log: one query over every place that holds records, merged by event id."""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeAlias

import orjson
from sqlalchemy import ColumnElement, Select, Table, true

from kms_server.audit import event_id
from kms_server.audit.marks import value_of
from kms_server.audit.merge import Rows, begins, merged
from kms_server.audit.pages import RESOURCES, Query, match, rows_of, scan, seek
from kms_server.audit.places import Plan, Source
from kms_server.audit.record import Row
from kms_server.storage.resource_types import RESOURCE_TYPES

_FIRST, _BEHIND = "", "g"  # around all event ids, in every collation: they begin with a hexadecimal digit


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
    matching = partial(match, query, bounds)
    plan = Plan(
        seek=partial(seek, query, bounds), match=matching,
        scan=partial(scan, query, bounds) if attribute in _TWOFOLD else matching, low=first, high=last, newest_first=True, is_page=True,
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
            [true()] if wanted.resource is None else [table.c[name] == wanted.resource for name in RESOURCES]
        )
        return [
            rows_of(table).where(*conditions, one).order_by(table.c.event_id).limit(limit)
            for one in of_resource
        ]

    plan = Plan(statements, statements, statements, low or _FIRST, high or _BEHIND, newest_first=False)
    rows: Iterator[Row] = _answer(places, plan)
    if wanted.context:
        rows = (row for row in rows if _has_context(row, wanted.context))
    return islice(rows, wanted.limit)


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
