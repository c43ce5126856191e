"""The migrations build the declared schema, once, and leave a newer one alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pysqlite3 import dbapi2
from sqlalchemy import Engine, MetaData, create_engine, inspect, text
from sqlalchemy.engine import make_url

from kms_server.errors import OperatorError
from kms_server.storage import migrate
from kms_server.storage.database import open_database
from kms_server.storage.tables import audit_metadata, metadata
from tests.postgres_server import Postgres

UPGRADE = """
import sys
from pathlib import Path
from kms_server.storage import migrate
from kms_server.storage.database import open_database

directory = Path(sys.argv[1])
database = open_database(None, directory, directory)
with migrate.lock(directory):
    migrate.upgrade(database.engine)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def engines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """Two empty databases of one kind."""
    made = []
    for name in ("one", "other"):
        directory = tmp_path / name
        directory.mkdir()
        url = None
        if request.param == "postgresql":
            postgres: Postgres = request.getfixturevalue("postgres")
            url = postgres.new_database(f"{request.node.name}-{name}")
        made.append(open_database(url, directory, directory))
    yield made[0].engine, made[1].engine
    for database in made:
        database.close()


def declared(engine: Engine) -> None:
    with engine.begin() as connection:
        for tables in (metadata, audit_metadata):
            tables.create_all(connection)


def shape(engine: Engine) -> dict[str, Any]:
    """Everything that the database tells of its tables; names of constraints that nothing refers to are left out."""
    seen = inspect(engine)
    found: dict[str, Any] = {}
    for table in seen.get_table_names():
        if table == "alembic_version":
            continue
        found[table] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in seen.get_columns(table)
            },
            "primary key": seen.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(
                str(
                    (
                        key["constrained_columns"],
                        key["referred_table"],
                        key["referred_columns"],
                        key["options"],
                    )
                )
                for key in seen.get_foreign_keys(table)
            ),
            "checks": sorted(check["sqltext"] for check in seen.get_check_constraints(table)),
            "unique": sorted(str(key["column_names"]) for key in seen.get_unique_constraints(table)),
            "indexes": sorted(
                str(
                    (
                        index["name"],
                        index["column_names"],
                        index["unique"],
                        *map(str, _options(index).values()),
                    )
                )
                for index in seen.get_indexes(table)
            ),
        }
    return found


def _options(index: Any) -> dict[str, Any]:
    options: dict[str, Any] = index.get("dialect_options", {})
    return options


def test_the_migrated_schema_is_the_declared_one(engines: tuple[Engine, Engine]) -> None:
    migrated, plain = engines
    migrate.upgrade(migrated)
    declared(plain)
    assert shape(migrated) == shape(plain)
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, _merged()) == []


def _merged() -> MetaData:
    both = MetaData()
    for tables in (metadata, audit_metadata):
        for table in tables.tables.values():
            table.to_metadata(both)
    return both


def test_a_second_upgrade_changes_nothing(engines: tuple[Engine, Engine]) -> None:
    engine = engines[0]
    migrate.upgrade(engine)
    before = shape(engine)
    migrate.upgrade(engine)
    migrate.require_current(engine)
    assert shape(engine) == before


def test_an_empty_database_is_not_current(engines: tuple[Engine, Engine]) -> None:
    with pytest.raises(OperatorError, match="kms-server migrate"):
        migrate.require_current(engines[0])


def test_a_newer_database_is_left_alone(engines: tuple[Engine, Engine]) -> None:
    engine = engines[0]
    migrate.upgrade(engine)
    with engine.connect().execution_options(kms_write=True) as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (migrate.upgrade, migrate.require_current):
        with pytest.raises(OperatorError, match=r"newer version \(schema 9999\).*nothing was changed"):
            attempt(engine)
    assert migrate.current(engine) == "9999"


def test_servers_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    started = [subprocess.Popen([sys.executable, "-c", UPGRADE, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    engine = create_engine(make_url(f"sqlite:///{tmp_path / 'keys.db'}"), module=dbapi2)
    assert migrate.current(engine) == migrate.head()
    engine.dispose()
