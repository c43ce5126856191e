"""The log in a PostgreSQL table."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError

from kms_server.audit.group_commit import GroupCommit, wait
from kms_server.audit.log import Outdated
from kms_server.audit.table_log import TableLog
from kms_server.config import Limits
from kms_server.errors import KMSInternalException
from kms_server.storage import audit_writers
from kms_server.storage.audit_tables import audit_events
from kms_server.storage.database import open_database
from tests.databases import new_url
from tests.postgres_proxy import between
from tests.postgres_server import Postgres
from tests.unit.audit.audit_rows import CHAIN_KEY, row

_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'no'; END $$ LANGUAGE plpgsql;
CREATE TRIGGER refuse BEFORE INSERT ON audit_events EXECUTE FUNCTION refuse()
"""


@pytest.fixture
def engine(postgres: Postgres) -> Iterator[Engine]:
    engine = create_engine(make_url(new_url(postgres)).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


def _execute(engine: Engine, statement: str) -> None:
    other = create_engine(engine.url)
    with other.begin() as connection:
        connection.execute(text(statement))
    other.dispose()


def _stored(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT event_id FROM audit_events ORDER BY event_id")).scalars())


def _chains(engine: Engine) -> list[int]:
    """How long they are, from the shortest."""
    with engine.connect() as connection:
        return sorted(chain.head.seq for chain in audit_writers.chains(connection, is_data=False))


def test_a_row_is_stored_once(engine: Engine) -> None:
    log, rows = TableLog(engine, audit_events, CHAIN_KEY), [row(number) for number in range(300)]
    log.append(rows[:200])
    log.append(rows[100:])
    log.append(rows[200:])
    assert _stored(engine) == [one.event_id for one in rows]
    assert _chains(engine) == [100, 200]


def test_a_row_that_does_not_fit_is_refused_whole(engine: Engine) -> None:
    log = TableLog(engine, audit_events, CHAIN_KEY)
    with pytest.raises(DataError):
        log.append([row()._replace(username="x" * 65)])
    assert _stored(engine) == []


def test_a_batch_costs_two_round_trips(engine: Engine, tmp_path: Path) -> None:
    """Whether the connection is alive, and one statement."""
    rows = [row(number) for number in range(640)]
    with between(engine.url.render_as_string(hide_password=False)) as proxy:
        database = open_database(proxy.url, tmp_path, tmp_path)
        log = TableLog(database.engine, audit_events, CHAIN_KEY)
        for start in range(0, 640, 64):
            if start == 448:  # the driver has prepared the statement now
                before = proxy.round_trips
            log.append(rows[start : start + 64])
        assert proxy.round_trips - before == 2 * 3
        database.close()
    assert _stored(engine) == [one.event_id for one in rows]
    assert _chains(engine) == [640]


@pytest.mark.parametrize("heard", ["all", "nothing"])
def test_a_batch_whose_answer_is_lost_is_stored_once(engine: Engine, heard: str) -> None:
    rows = [row(number) for number in range(6)]
    with between(engine.url.render_as_string(hide_password=False)) as proxy:
        other = create_engine(proxy.url)
        log = TableLog(other, audit_events, CHAIN_KEY)
        log.append(rows[:2])
        if heard == "nothing":
            proxy.lose_answer(rows[2].event_id.encode())
        log.append(rows[2:4])
        log.append(rows[4:])
        assert proxy.lost == (heard == "nothing")
        other.dispose()
    assert _stored(engine) == [one.event_id for one in rows]
    assert sum(_chains(engine)) == 6


def test_a_refused_batch_leaves_nothing_and_the_next_is_taken(engine: Engine) -> None:
    commit = GroupCommit(TableLog(engine, audit_events, CHAIN_KEY), Limits())
    _execute(engine, _REFUSE)
    for ticket in [commit.submit(row()) for _ in range(5)]:
        with pytest.raises(KMSInternalException):
            wait(ticket, 10)
    assert _stored(engine) == []
    _execute(engine, "DROP TRIGGER refuse ON audit_events")
    one = row()
    wait(commit.submit(one), 10)
    assert _stored(engine) == [one.event_id]
    commit.close()


def test_a_lost_connection_costs_nothing(engine: Engine) -> None:
    commit = GroupCommit(TableLog(engine, audit_events, CHAIN_KEY), Limits())
    first, lost, last = row(1), row(2), row(3)
    wait(commit.submit(first), 10)
    _execute(
        engine,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    wait(commit.submit(lost), 10)
    wait(commit.submit(last), 10)
    assert _stored(engine) == [first.event_id, lost.event_id, last.event_id]
    commit.close()


def test_a_batch_that_tells_of_an_older_state_is_not_stored(engine: Engine) -> None:
    log, rows = TableLog(engine, audit_events, CHAIN_KEY), [row(number) for number in range(4)]
    log.append(rows[:1], 0)
    _execute(engine, "UPDATE changes SET value = 8 WHERE scope = ''")
    for _ in range(2):
        with pytest.raises(Outdated) as told:
            log.append(rows[1:2], 7)
        assert told.value.newest == 8
    log.append(rows[2:3], 8)
    log.append(rows[3:])
    assert _stored(engine) == [rows[number].event_id for number in (0, 2, 3)]
    with engine.connect() as connection:
        (chain,) = audit_writers.chains(connection, is_data=False)
    assert chain.head.seq == 3
