"""What makes a worker unready, and what it only warns of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from kms_server.config import Settings
from kms_server.server import health as healths
from kms_server.server.health import Health, Report, health_of
from kms_server.server.state import State, open_state
from kms_server.storage import fitness, schema_version
from kms_server.storage.fitness import ReadOnlyDatabase
from kms_server.storage.reserve import Reserve
from tests.databases import new_url, prepared
from tests.postgres_server import Postgres
from tests.unit.server.door_server import eventually


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    settings = Settings(tmp_path / "data")
    prepared(settings)
    made = open_state(settings)
    yield made
    made.database.close()


@pytest.fixture
def health(state: State, monkeypatch: pytest.MonkeyPatch) -> Health:
    monkeypatch.setattr(healths, "_LOOKUP_SECONDS", 0.0)
    return health_of(state, {}, Reserve(state.settings.data_dir, 0))


def change(state: State, statement: str) -> None:
    with state.database.engine.connect().execution_options(kms_write=True) as connection, connection.begin():
        connection.execute(text(statement))


def eventually_says(health: Health, name: str, said: str) -> Report:
    eventually(lambda: said in str(health.report().entries()[name].get("detail")))
    return health.report()


def test_a_fit_worker_has_an_entry_for_every_check(health: Health) -> None:
    report = health.report()
    assert (report.problems, report.warnings) == ([], [])
    entries = report.entries()
    assert {"database", "changes", "schema", "root_key", "disk", "draining", "newer_schema"} <= entries.keys()
    assert all(entry == {"status": "ok"} for entry in entries.values())


def test_who_drains_is_unready_at_once(health: Health) -> None:
    health.draining = True
    report = health.report()
    assert report.problems == ["the server is stopping: it takes no new clients"]
    assert report.entries()["draining"]["status"] == "failed"


def test_an_older_schema_is_a_problem(state: State, health: Health) -> None:
    older = schema_version.known()[-2]
    change(state, f"UPDATE alembic_version SET version_num = '{older}'")
    assert "run `kms-server migrate`" in eventually_says(health, "schema", f"is {older}").problems[0]
    change(state, "DROP TABLE alembic_version")
    assert eventually_says(health, "schema", "has no schema").problems


def test_a_newer_schema_is_a_warning(state: State, health: Health) -> None:
    change(state, "UPDATE alembic_version SET version_num = '9999'")
    report = eventually_says(health, "newer_schema", "upgraded to schema 9999")
    assert (report.problems, len(report.warnings)) == ([], 1)


def test_a_database_of_another_root_key_is_a_problem(state: State, health: Health) -> None:
    with state.database.write() as tx:
        tx.connection.execute(text("UPDATE root_versions SET fingerprint = :none"), {"none": "0" * 64})
    report = eventually_says(health, "root_key", "another root key")
    assert str(state.root_key.fingerprint(state.root_key.current)) not in str(report)


def test_a_root_key_file_that_is_gone_is_a_warning(state: State, health: Health) -> None:
    state.settings.root_key_file.unlink()
    report = health.report()
    assert report.problems == []
    assert "put it back before the next start" in report.warnings[0]


def test_what_cannot_be_looked_up_keeps_what_was_found(state: State, health: Health) -> None:
    change(state, "UPDATE alembic_version SET version_num = '9999'")
    eventually_says(health, "newer_schema", "9999")
    change(state, "ALTER TABLE injected_faults RENAME TO elsewhere")
    report = eventually_says(health, "lookups", "OperationalError")
    assert "9999" in report.entries()["newer_schema"]["detail"]


def test_a_read_only_database_is_told(tmp_path: Path, postgres: Postgres) -> None:
    settings = Settings(tmp_path / "data", database_url=new_url(postgres))
    prepared(settings)
    state = open_state(settings)
    try:
        with state.database.read() as connection:
            fitness.require_writable(connection)
            connection.execute(text("SET default_transaction_read_only = on"))
            with pytest.raises(ReadOnlyDatabase):
                fitness.require_writable(connection)
    finally:
        state.database.close()
