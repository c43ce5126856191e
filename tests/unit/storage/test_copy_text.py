"""COPY's text format: what is written is read, and PostgreSQL reads and writes the same."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.storage.copy_text import BLOCK, BadRow, decoded, encoded, joined
from tests.postgres_server import Postgres

KINDS = ["text", "integer", "real", "boolean", "bytes"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ROWS = st.lists(
    st.tuples(
        st.none() | TEXTS | st.sampled_from(["\\N", "\\", "\t\n\r\\t", ""]),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.booleans(),
        st.none() | st.binary(max_size=40),
    ).map(list),
    max_size=8,
)


def text_of(rows: list[list[Any]]) -> bytes:
    return b"".join(encoded(rows, KINDS))


@given(ROWS)
def test_what_is_written_is_read(rows: list[list[Any]]) -> None:
    assert [row for block in encoded(rows, KINDS) for row in decoded(block, KINDS)] == rows


def test_postgresql_agrees(postgres: Postgres) -> None:
    rows: list[list[Any]] = [
        ["\\N \t\b\f\v\r\n\\ \u00e9\U0001f600", -(2**63), 0.1, True, bytes(range(256))],
        ["", 0, 1e300, False, b""],
        [None] * 5,
    ]
    with psycopg.connect(postgres.new_database(uuid4().hex)) as connection:
        connection.execute("CREATE TABLE t (a text, b bigint, c double precision, d boolean, e bytea)")
        cursor = connection.cursor()
        with cursor.copy("COPY t FROM STDIN") as copy:
            copy.write(text_of(rows))
        assert [list(row) for row in connection.execute("SELECT * FROM t")] == rows
        with cursor.copy("COPY t TO STDOUT") as copy:
            written = b"".join(map(bytes, copy))
    assert list(decoded(written, KINDS)) == rows


def test_blocks_have_whole_rows() -> None:
    rows: list[list[Any]] = [["x" * 1_000, 1, 1.0, True, b""] for _ in range(200)]
    blocks = list(encoded(rows, KINDS))
    assert len(blocks) > 2
    assert all(block.endswith(b"\n") and len(block) < BLOCK + 2_000 for block in blocks)
    assert b"".join(joined(iter([b"a\n"] * 100_000))) == b"a\n" * 100_000


@pytest.mark.parametrize("row", [[1, 1, 1.0, True, b""], ["", True, 1.0, True, b""], ["", 1, "x", True, b""],
                                 ["", 1, 1.0, 2, b""], ["", 1, 1.0, True, ""], [""]])  # fmt: skip
def test_values_of_other_kinds_are_not_written(row: list[Any]) -> None:
    with pytest.raises(BadRow):
        text_of([row])


@pytest.mark.parametrize("block", [b"a\t1\t1.0\tt\t\\\\x", b"a\t1\n", b"a\tx\t1.0\tt\t\\\\x\n", b"a\t1\t1\ty\t\\\\x\n",
                                   b"a\t1\t1\tt\tzz\n", b"\\q\t1\t1\tt\t\\\\x\n", b"\xff\t1\t1\tt\t\\\\x\n"])  # fmt: skip
def test_what_is_no_row_is_not_read(block: bytes) -> None:
    with pytest.raises(BadRow):
        list(decoded(block, KINDS))
