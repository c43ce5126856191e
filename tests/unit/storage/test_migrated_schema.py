"""The migrations build the declared schema."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Constraint, Engine, Index, MetaData, String, UniqueConstraint

from kms_server.storage import migrate
from kms_server.storage.audit_tables import audit_metadata
from kms_server.storage.schema import metadata
from tests.databases import Place, empty, migrated
from tests.unit.storage.reflection import shape

pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
    pytest.mark.filterwarnings("ignore:Computed default on"),
    pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index"),
]


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    """An empty database."""
    database = place.open()
    yield database.engine
    database.close()


@pytest.fixture
def other(place: Place, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Another empty database of the same kind."""
    made = empty(tmp_path / "other", request.getfixturevalue("postgres") if place.url else None).open()
    yield made.engine
    made.close()


def declared() -> MetaData:
    """All tables as the program declares them."""
    both = MetaData(naming_convention=metadata.naming_convention)
    for tables in (metadata, audit_metadata):
        for table in tables.tables.values():
            table.to_metadata(both)
    return both


def _is_compared(_one: object, name: str | None, *_: object) -> bool:
    # Alembic compares neither descending indexes of SQLite nor expressions as databases write them; these are in the shape.
    return name not in (
        "ix_object_versions_age",
        "ix_audit_events_resource_1_type",
        "ix_audit_events_resource_2_type",
    )


def test_the_migrated_schema_is_the_declared_one(engine: Engine, other: Engine) -> None:
    migrate.upgrade(engine)
    declared().create_all(other)
    assert shape(engine) == shape(other)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "include_object": _is_compared},
        )
        assert compare_metadata(context, declared()) == []


@pytest.fixture
def migrated_shape(place: Place, shapes: dict[bool, dict[str, Any]]) -> dict[str, Any]:
    """What a migrated database of the same kind tells."""
    of_postgres = place.url is not None
    if of_postgres not in shapes:
        made = migrated(place)
        shapes[of_postgres] = shape(made.engine)
        made.close()
    return shapes[of_postgres]


@pytest.fixture(scope="module")
def shapes() -> dict[bool, dict[str, Any]]:
    return {}


def _without(kind: type[Constraint | Index], table: str, name: str) -> Callable[[MetaData], None]:
    def drop(tables: MetaData) -> None:
        found = tables.tables[table]
        group: set[Any] = found.indexes if kind is Index else found.constraints
        group.remove(next(one for one in group if type(one) is kind and name in str(one.name)))

    return drop


def _on_column(table: str, column: str, attribute: str, value: object) -> Callable[[MetaData], None]:
    def change(tables: MetaData) -> None:
        setattr(tables.tables[table].c[column], attribute, value)

    return change


def _everywhere_current(tables: MetaData) -> None:
    _without(Index, "backing_keys", "one_current")(tables)
    Index("uq_backing_keys_one_current", tables.tables["backing_keys"].c.key_id, unique=True)


def _orphans(tables: MetaData) -> None:
    for key in tables.tables["tags"].foreign_key_constraints:
        key.ondelete = None


@pytest.mark.soak(but=2, each="wrong")
@pytest.mark.parametrize(
    "wrong",
    [
        _without(CheckConstraint, "keys", "deletion_date"),
        _without(UniqueConstraint, "managed_policies", "policy_id"),
        _without(Index, "audit_events", "resource_2"),
        _without(Index, "audit_events", "resource_1_type"),
        _everywhere_current,
        _orphans,
        _on_column("keys", "on_demand_rotations", "server_default", None),
        _on_column("keys", "deletion_date", "nullable", False),
        _on_column("changes", "scope", "type", String(256)),
    ],
)
def test_no_difference_escapes_the_comparison(
    migrated_shape: dict[str, Any], other: Engine, wrong: Callable[[MetaData], None]
) -> None:
    tables = declared()
    wrong(tables)
    tables.create_all(other)
    assert shape(other) != migrated_shape
