"""A migrated database of either kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_server.storage.database import Database
from tests.databases import Place, empty, with_schema


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A database: an empty one, or with this program's schema where a test asks for `database` too."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    make = with_schema if "database" in request.fixturenames else empty
    return make(tmp_path / "database", postgres)


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    """A database with this program's schema."""
    made = place.open()
    yield made
    made.close()
