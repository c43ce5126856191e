"""A migrated database of either kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_server.storage.database import Database
from tests.databases import Place, empty, lent


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database: an empty one, or with this program's schema where a test asks for `database` too."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    if "database" in request.fixturenames:
        with lent(tmp_path / "database", postgres) as made:
            yield made
    else:
        yield empty(tmp_path / "database", postgres)


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    """A database with this program's schema."""
    made = place.open()
    yield made
    made.close()
