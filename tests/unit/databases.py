"""Databases with the whole schema, which several processes can open."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from kms_server.storage import migrate
from kms_server.storage.database import Database, initialise, open_database
from tests.postgres_server import Postgres

_EMBEDDED = "-"


@dataclass(frozen=True)
class Place:
    """Where a database is: in `directory`, or at `url` with its host's shared files in `directory`."""

    directory: Path
    url: str | None

    @classmethod
    def of(cls, arguments: list[str]) -> "Place":
        """The place that `arguments` of another process tell."""
        directory, url = arguments
        return cls(Path(directory), None if url == _EMBEDDED else url)

    def arguments(self) -> list[str]:
        """The place, for another process."""
        return [str(self.directory), self.url or _EMBEDDED]

    def open(self) -> Database:
        """The database, whatever is in it."""
        return open_database(self.url, self.directory, self.directory)


def empty(directory: Path, postgres: Postgres | None) -> Place:
    """A new database without tables."""
    directory.mkdir(exist_ok=True)
    # PostgreSQL cuts names at 63 bytes, so a test's own would not always be one database.
    return Place(directory, postgres.new_database(uuid4().hex) if postgres else None)


def with_schema(directory: Path, postgres: Postgres | None) -> Place:
    """A new database with this program's schema: a copy, since migrations take longer than most tests."""
    directory.mkdir(exist_ok=True)
    if postgres is not None:
        return Place(directory, postgres.new_database(uuid4().hex, template=_template(postgres)))
    (directory / "keys.db").write_bytes(_embedded())
    (directory / "keys.db").chmod(0o600)
    return Place(directory, None)


@cache
def _embedded() -> bytes:
    with TemporaryDirectory() as directory:
        migrated(empty(Path(directory), None)).close()
        return (Path(directory) / "keys.db").read_bytes()


@cache
def _template(postgres: Postgres) -> str:
    name = "with_schema"
    with TemporaryDirectory() as directory:
        migrated(Place(Path(directory), postgres.new_database(name))).close()
    return name


def migrated(place: Place) -> Database:
    """The database with this program's schema."""
    database = place.open()
    migrate.upgrade(database.engine)
    with database.engine.begin() as connection:
        initialise(connection)
    return database
