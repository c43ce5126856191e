"""The log in a PostgreSQL table."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from kms_server.audit.group_commit import GroupCommit, wait
from kms_server.audit.log import Outdated
from kms_server.audit.table_log import TableLog
from kms_server.config import Limits
from kms_server.errors import KMSInternalException
from kms_server.storage import audit_writers
from kms_server.storage.audit_tables import audit_events
from tests.databases import new_url
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


def test_a_row_is_stored_once(engine: Engine) -> None:
    log, rows = TableLog(engine, audit_events, CHAIN_KEY), [row(number) for number in range(300)]
    log.append(rows[:200])
    with pytest.raises(IntegrityError):
        log.append(rows[100:])
    log.append(rows[200:])
    assert _stored(engine) == [one.event_id for one in rows]


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


def test_a_lost_connection_costs_one_batch(engine: Engine) -> None:
    commit = GroupCommit(TableLog(engine, audit_events, CHAIN_KEY), Limits())
    first, lost, last = row(1), row(2), row(3)
    wait(commit.submit(first), 10)
    _execute(
        engine,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    with pytest.raises(KMSInternalException):
        wait(commit.submit(lost), 10)
    wait(commit.submit(last), 10)
    assert _stored(engine) == [first.event_id, last.event_id]
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
