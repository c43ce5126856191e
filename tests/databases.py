"""Databases with the whole schema, which several processes can open.

They are copies of one, since migrations take longer than most tests; those have tests of their own.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from botocore.credentials import Credentials

from kms_server.config import Settings
from kms_server.server.startup import prepare
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
    """A new database with this program's schema."""
    if postgres is not None:
        directory.mkdir(exist_ok=True)
        return Place(directory, new_url(postgres))
    embed(directory)
    return Place(directory, None)


def new_url(postgres: Postgres) -> str:
    """The URL of a new database with this program's schema."""
    return postgres.new_database(uuid4().hex, template=_template(postgres))


def embed(directory: Path) -> None:
    """Put a database with this program's schema into a data directory, which need not be there."""
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "keys.db").touch(mode=0o600)
    (directory / "keys.db").write_bytes(_embedded())


def prepared(settings: Settings) -> Credentials:
    """Make all that a first start makes, unless that was done; the first root's access key."""
    if settings.database_url is None and not settings.data_dir.exists():
        embed(settings.data_dir)
    prepare(settings)
    lines = settings.credentials_file.read_text().splitlines()
    found = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    return Credentials(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])


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
