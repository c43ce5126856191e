"""Batches of rows on their way into a segment.

What SQLite is told costs more than what it stores: every value that is bound takes the driver and SQLite a fifth of a
microsecond or more, and a row has fifteen. So what many rows have in common, the caller and the operation, is told once and kept
in a temporary table in memory; a row names it and brings what is its own.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from pysqlite3 import dbapi2

from kms_server.audit.chain import COLUMNS
from kms_server.audit.record import Row
from kms_server.storage.audit_writers import Head

# The rest of a row is its own: event_id, resource_1, resource_2 and record.
_SHARED = (
    "account",
    "region",
    "event_name",
    "event_source",
    "read_only",
    "username",
    "access_key_id",
    "error_code",
)
_OWN = 5
_MOST_SHARED = 4_096
_CREATE = f"CREATE TEMP TABLE shared (id INTEGER PRIMARY KEY, {', '.join(_SHARED)})"
_SHARE = f"INSERT INTO temp.shared VALUES ({', '.join('?' * (1 + len(_SHARED)))})"  # noqa: S608 - names of ours
# No event has an empty id; empty texts cost the driver least.
_PADDING = [""] * _OWN

# What has no adapter the driver asks for one, value by value, by way of exceptions: a microsecond each. This is what it does
# with None in the end; an empty dictionary's `get` makes None of None in C.
dbapi2.register_adapter(type(None), {}.get)


class SegmentRows:
    """Adds rows by the connection of the segment's owner."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - the driver has no types
        self._connection = connection
        self._shared: dict[tuple[object, ...], int] = {}
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(_CREATE)

    def add(self, writer: str, before: Head, rows: Sequence[Row], end: Head) -> None:
        """Add a batch durably: the rows behind `before` in the chain of `writer`, which then ends at `end`.

        Raises:
            dbapi2.Error: it is not known to be stored.
        """
        if len(self._shared) + len(rows) > _MOST_SHARED:
            self._connection.execute("DELETE FROM temp.shared")
            self._shared.clear()
        shared, size = self._shared, _size(len(rows))
        values: list[object] = [writer, before.seq, end.seq, end.link]
        for row in rows:
            common = (*row[1:8], row[10])
            number = shared.get(common) or self._share(common)
            values += (row[0], number, row[8], row[9], row[11])
        values += _PADDING * (size - len(rows))
        self._connection.execute(_insert(size), values)

    def _share(self, common: tuple[object, ...]) -> int:
        number = len(self._shared) + 1
        self._connection.execute(_SHARE, (number, *common))
        self._shared[common] = number
        return number


@cache
def _insert(size: int) -> str:
    """One statement for up to `size` rows.

    One statement is one transaction and one step. SQLite gives Python's lock up once per step, and a batch of steps
    beside a busy event loop would wait for it as often as it has rows. The join keeps the order of the rows, and one that
    found nothing in common would break the table's rules.
    """
    own = {"event_id": "v.column1", "resource_1": "v.column3", "resource_2": "v.column4", "record": "v.column5",
           "writer": "?1", "seq": "v.column6", "link": "CASE ?3 WHEN v.column6 THEN ?4 END"}  # fmt: skip
    columns = ", ".join(own.get(name) or f"s.{name}" for name in COLUMNS)
    rows = ", ".join(
        f"({', '.join(f'?{5 + _OWN * place + value}' for value in range(_OWN))}, ?2 + {place + 1})"
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
