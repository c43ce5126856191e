"""Databases with the whole schema, which several processes can open.

They are copies of one, since migrations take longer than most tests; those have tests of their own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
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


@contextmanager
def lent(directory: Path, postgres: Postgres | None) -> Iterator[Place]:
    """A database with this program's schema, for as long as a block takes; PostgreSQL's are emptied and lent again."""
    if postgres is None:
        yield with_schema(directory, None)
        return
    directory.mkdir(exist_ok=True)
    spare = _spare(postgres)
    url = spare.pop() if spare else new_url(postgres)
    yield Place(directory, url)
    _make_as_new(url, _contents(postgres))
    spare.append(url)


@cache
def _spare(_: Postgres) -> list[str]:
    return []


@cache
def _contents(postgres: Postgres) -> dict[str, bytes]:
    """What is in each table of a database with nothing but the schema, as COPY tells it."""
    with psycopg.connect(new_url(postgres)) as connection:
        tables = [
            table
            for (table,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        found = {}
        for table in tables:
            with connection.cursor().copy(f'COPY "{table}" TO STDOUT') as rows:
                found[table] = b"".join(map(bytes, rows))
    return found


def _make_as_new(url: str, contents: Mapping[str, bytes]) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
        connection.execute("SET session_replication_role = replica")  # no foreign keys meanwhile
        for table, rows in contents.items():
            connection.execute(f'DELETE FROM "{table}"')
            if rows:
                with connection.cursor().copy(f'COPY "{table}" FROM STDIN') as copy:
                    copy.write(rows)
        connection.execute("SELECT setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences")


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
