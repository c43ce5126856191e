"""A scene for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.databases import empty, migrated
from tests.unit.s3.encryption.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    database = migrated(empty(tmp_path / "database", None))
    yield Scene(database)
    database.close()
