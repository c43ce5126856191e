"""Batches as they come to lie in a segment: every column of every row, whatever rows have in common."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysqlite3 import dbapi2

from kms_server.audit import segment_rows
from kms_server.audit.chain import COLUMNS, Linked, extended
from kms_server.audit.record import Row
from kms_server.audit.segment_rows import SegmentRows
from kms_server.audit.segments import CREATE
from kms_server.storage.audit_writers import START, Head
from tests.unit.audit.audit_rows import CHAIN_KEY, row

_WORDS = st.sampled_from(["", "a", "b", "\0", "\N{OHM SIGN}", "0", "1"])
_OR_NOTHING = st.none() | _WORDS
_OTHERS = st.fixed_dictionaries({
    "account": _WORDS, "region": _WORDS, "event_name": _WORDS, "event_source": _WORDS, "read_only": st.booleans(),
    "username": _OR_NOTHING, "access_key_id": _OR_NOTHING, "resource_1": _OR_NOTHING, "resource_2": _OR_NOTHING,
    "error_code": _OR_NOTHING, "record": _WORDS,
})  # fmt: skip
_BATCHES = st.lists(st.lists(_OTHERS, min_size=1, max_size=90), min_size=1, max_size=4)


def segment() -> Any:
    connection = dbapi2.connect(":memory:", isolation_level=None)
    connection.execute(CREATE)
    return connection


def stored(connection: Any) -> list[tuple[object, ...]]:
    """All columns of all rows behind their numbers, in the order in which they were stored."""
    found = connection.execute(f"SELECT rowid, {', '.join(COLUMNS)} FROM audit_events ORDER BY rowid")
    return list(found)


def added(connection: Any, rows: SegmentRows, batches: list[list[Row]]) -> list[tuple[object, ...]]:
    """Add batches, and say what should be stored."""
    head, expected = START, []
    for batch in batches:
        made = extended(CHAIN_KEY, "w", head, batch)
        rows.add("w", head, [Linked(batch, made.head)])
        expected += made.rows
        head = made.head
    return [(number, *one) for number, one in enumerate(expected, 1)]


@given(_BATCHES)
def test_every_column_of_every_row_in_order(batches: list[list[dict[str, Any]]]) -> None:
    connection = segment()
    made = [[row(number, **others) for number, others in enumerate(batch)] for batch in batches]
    expected = added(connection, SegmentRows(connection), made)
    assert stored(connection) == expected
    connection.close()


@pytest.mark.parametrize("size", [1, 8, 9, 63, 64, 65, 250])
def test_batches_of_any_size(size: int) -> None:
    connection = segment()
    expected = added(connection, SegmentRows(connection), [[row(number) for number in range(size)]])
    assert stored(connection) == expected
    connection.close()


def test_more_callers_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_rows, "_MOST_SHARED", 20)
    connection = segment()
    batches = [
        [row(number, username=f"user-{number % 7}-{batch}") for number in range(15)] for batch in range(6)
    ]
    batches.append([row(number, username=f"user-{number}") for number in range(30)])
    expected = added(connection, SegmentRows(connection), batches)
    assert stored(connection) == expected
    assert connection.execute("SELECT count(*) FROM temp.shared").fetchone()[0] <= 30
    connection.close()


def test_a_batch_is_stored_whole_or_not_at_all() -> None:
    connection = segment()
    rows = SegmentRows(connection)
    expected = added(connection, rows, [[row(0)]])
    twice = row(1)
    with pytest.raises(dbapi2.IntegrityError):
        rows.add("w", Head(1, b"x"), [Linked([row(2), twice, twice], Head(4, b"y"))])
    connection.execute("DELETE FROM temp.shared")
    with pytest.raises(dbapi2.IntegrityError):  # what it has in common with others is not there
        rows.add("w", Head(1, b"x"), [Linked([row(3)], Head(2, b"y"))])
    assert stored(connection) == expected
    connection.close()


def test_what_is_temporary_stays_in_memory() -> None:
    connection = segment()
    SegmentRows(connection)
    assert connection.execute("PRAGMA temp_store").fetchone() == (2,)
    connection.close()
