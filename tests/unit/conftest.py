"""A migrated database of either kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_server.storage.database import Database
from tests.unit.databases import Place, empty, migrated


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return empty(tmp_path / "database", postgres)


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    """A database with this program's schema."""
    made = migrated(place)
    yield made
    made.close()
