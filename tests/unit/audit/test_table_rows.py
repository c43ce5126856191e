"""Batches of rows on their way into a table of PostgreSQL."""

from collections.abc import Iterator
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, delete, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from kms_server.audit.chain import COLUMNS
from kms_server.audit.record import Row
from kms_server.audit.table_log import TableLog
from kms_server.storage.audit_tables import audit_data_events
from tests.databases import new_url
from tests.postgres_server import Postgres
from tests.unit.audit.audit_rows import CHAIN_KEY, row

# What JSON, lines, arrays and the driver's parameters have a meaning for.
_ODD = ["\n", "\r\n", "\t", "\x01", "\x1f", "\x7f", "\\", "\\n", '"', "'", "{}", "{a,b}", ",", "NULL", "null", "", " ",
        "%s", "%(now)s", ":x", "$1", "--", "é", "\N{LINE SEPARATOR}", "\N{GRINNING FACE}"]  # fmt: skip


@pytest.fixture(scope="module")
def engine(postgres: Postgres) -> Iterator[Engine]:
    engine = create_engine(make_url(new_url(postgres)).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


def _kept(engine: Engine, rows: list[Row]) -> list[tuple[object, ...]]:
    """What there is after a batch of rows, as Row has it; it is gone then."""
    TableLog(engine, audit_data_events, CHAIN_KEY).append(rows)
    table = audit_data_events
    with engine.begin() as connection:
        asked = select(*[table.c[name] for name in COLUMNS]).order_by(table.c.seq)
        found = [tuple(one) for one in connection.execute(asked)]
        connection.execute(delete(table))
    *_, (*_, last) = found
    assert [one[-2:-1] for one in found] == [(number,) for number in range(1, len(rows) + 1)]
    assert last is not None
    assert all(link is None for *_, link in found[:-1])
    return [one[: len(Row._fields)] for one in found]


def test_what_callers_name_arrives_as_it_is(engine: Engine) -> None:
    rows = [
        row(number, username=odd, access_key_id=odd, resource_1=f"a{odd}b", resource_2=odd, error_code=odd)
        for number, odd in enumerate(_ODD)
    ]
    assert _kept(engine, rows) == rows


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=64)
_MAYBE = st.none() | st.sampled_from(_ODD) | _TEXTS
_RECORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), min_size=1)
_BATCHES = st.lists(st.tuples(_MAYBE, _MAYBE, st.booleans(), _RECORDS), min_size=1, max_size=30)


@given(_BATCHES)
def test_any_batch_arrives_as_it_is(
    engine: Engine, batch: list[tuple[str | None, str | None, bool, str]]
) -> None:
    rows = [
        row(number, username=user, resource_1=resource, read_only=reads, record=record)
        for number, (user, resource, reads, record) in enumerate(batch)
    ]
    assert _kept(engine, rows) == rows


@pytest.mark.parametrize("torn", ["first", "last"])
def test_a_record_of_two_lines_is_refused_with_its_batch(engine: Engine, torn: str) -> None:
    records = chain(["{\n}"], repeat("{}", 2)) if torn == "first" else chain(repeat("{}", 2), ["{\n}"])
    with pytest.raises(IntegrityError):
        _kept(engine, [row(number, record=record) for number, record in enumerate(records)])
    assert _kept(engine, [whole := row()]) == [whole]
