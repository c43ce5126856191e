"""A scene for every test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Place, empty, migrated
from tests.unit.s3.encryption.scene import Scene


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a database that nothing was put into."""
    place = empty(tmp_path_factory.mktemp("template") / "database", None)
    migrated(place).close()
    return place.directory


@pytest.fixture
def scene(template: Path, tmp_path: Path) -> Iterator[Scene]:
    database = Place(shutil.copytree(template, tmp_path / "database"), None).open()
    yield Scene(database)
    database.close()
