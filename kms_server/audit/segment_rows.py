"""Batches of rows on their way into a segment.

What SQLite is told costs as much as what it stores: every value that is bound takes the driver and SQLite some tenths of
a microsecond, and a row has fifteen. So what many rows have in common, the caller and the operation, is told once and kept
in a temporary table in memory; a row names it and brings what is its own.
"""

from collections.abc import Sequence
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias

from pysqlite3 import dbapi2

from kms_server.audit.chain import COLUMNS, Linked
from kms_server.audit.record import Row
from kms_server.storage.audit_writers import Head

# All but event_id, resource_1, resource_2 and record, which are a row's own as is the link; `add` takes all by their places.
_SHARED = (*Row._fields[1:8], Row._fields[10])
_common = itemgetter(*map(Row._fields.index, _SHARED))
_OWN = 6
_MOST_SHARED = 16_384  # some MB
_CREATE = f"CREATE TEMP TABLE shared (id INTEGER PRIMARY KEY, {', '.join(_SHARED)})"
# No event has an empty id; empty texts cost the driver least.
_PADDING = [""] * _OWN

# What has no adapter the driver asks for one, value by value, by way of exceptions: a microsecond each. This is what it does
# with None in the end; an empty dictionary's `get` makes None of None in C.
dbapi2.register_adapter(type(None), {}.get)

_Common: TypeAlias = tuple[object, ...]


class SegmentRows:
    """Adds rows by the connection of the segment's owner."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - the driver has no types
        self._connection = connection
        self._shared: dict[_Common, int] = {}
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(_CREATE)

    def add(self, writer: str, before: Head, batches: Sequence[Linked]) -> None:
        """Add batches durably, all or none: those that come behind `before` in the chain of `writer`.

        Raises:
            dbapi2.Error: it is not known to be stored.
        """
        rows = [row for batch in batches for row in batch.rows]
        common = [*map(_common, rows)]
        numbers = [*map(self._shared.get, common)]
        if None in numbers:
            self._share(common)
            numbers = [*map(self._shared.get, common)]
        size = _size(len(rows))
        values: list[object] = [writer, before.seq]
        for row, number in zip(rows, numbers, strict=True):
            values += (row[0], number, row[8], row[9], row[11], None)
        for batch in batches:
            values[1 + _OWN * (batch.head.seq - before.seq)] = batch.head.link
        values += _PADDING * (size - len(rows))
        self._connection.execute(_insert(size), values)

    def _share(self, common: Sequence[_Common]) -> None:
        """Have all of these in the table."""
        new = dict.fromkeys(one for one in common if one not in self._shared)
        if len(self._shared) + len(new) > _MOST_SHARED:
            self._shared.clear()
            new = dict.fromkeys(common)
        numbered = {one: number for number, one in enumerate(new, len(self._shared) + 1)}
        size = _size(len(new))
        values = [value for one, number in numbered.items() for value in (number, *one)]
        values += [""] * (1 + len(_SHARED)) * (size - len(new))
        self._connection.execute(_replace(size), values)
        self._shared |= numbered


@cache
def _replace(size: int) -> str:
    """A statement that puts up to `size` rows into the table, over those that nobody needs any more."""
    row = f"({', '.join('?' * (1 + len(_SHARED)))})"
    return f"REPLACE INTO temp.shared SELECT * FROM (VALUES {', '.join([row] * size)}) WHERE column1 <> ''"  # noqa: S608 - question marks alone


@cache
def _insert(size: int) -> str:
    """One statement for up to `size` rows.

    One statement is one transaction and one step. SQLite gives Python's lock up once per step, and a batch of steps
    beside a busy event loop would wait for it as often as it has rows. The join keeps the order of the rows, and one that
    found nothing in common would break the table's rules.
    """
    own = {"event_id": "v.column1", "resource_1": "v.column3", "resource_2": "v.column4", "record": "v.column5",
           "writer": "?1", "seq": "v.column7", "link": "v.column6"}  # fmt: skip
    columns = ", ".join(own.get(name) or f"s.{name}" for name in COLUMNS)
    rows = ", ".join(
        f"({', '.join(f'?{3 + _OWN * place + value}' for value in range(_OWN))}, ?2 + {place + 1})"
        for place in range(size)
    )
    return (
        f"INSERT INTO audit_events SELECT {columns} FROM (VALUES {rows}) v"  # noqa: S608 - numbers and names of ours
        " LEFT JOIN temp.shared s ON s.id = v.column2 WHERE v.column1 <> ''"
    )


def _size(rows: int) -> int:
    """Of a statement for so many rows: few sizes, so that statements stay prepared, and little that is only padding."""
    step = 1 if rows <= 8 else 8 if rows <= 64 else 16
    return -(-rows // step) * step
