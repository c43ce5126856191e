"""A deployment as checks see it; looking changes nothing in it."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from kms_server.clock import Clock
from kms_server.config import Settings
from kms_server.diagnosis import in_words
from kms_server.doctor.findings import NotLookedAt
from kms_server.errors import OperatorError
from kms_server.server.state import has_database
from kms_server.storage import schema_version
from kms_server.storage import settings as stored
from kms_server.storage.database import Database
from kms_server.storage.failure import failure_of
from kms_server.storage.inspection import look_into

_FLOCK = re.compile(r"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:\S+:(\d+)\s")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The settings of a server and its database, if that can be opened: `trouble` says why it cannot.

    `schema` is its version; None where it has none. `ntp_server` is a host to ask for the time.
    """

    settings: Settings
    opened: Database | None = None
    trouble: str | None = None
    schema: str | None = None
    ntp_server: str | None = None

    @property
    def embedded(self) -> bool:
        """Whether the database is in the data directory."""
        return self.settings.database_url is None

    @property
    def database(self) -> Database:
        """The database.

        Raises:
            NotLookedAt: it cannot be opened.
        """
        if self.opened is None:
            raise NotLookedAt("there is no database to look into")
        return self.opened

    @property
    def tables(self) -> Database:
        """The database, with this program's tables.

        Raises:
            NotLookedAt: it has others, or cannot be opened.
        """
        database = self.database
        if self.schema != schema_version.known()[-1]:
            raise NotLookedAt("the schema is not this program's")
        return database

    def clock(self) -> Clock:
        """The service's clock."""
        return Clock(float(self.setting(stored.CLOCK_OFFSET) or 0.0))

    def setting(self, name: str) -> str | None:
        """A value that the database keeps."""
        with self.tables.read() as connection:
            return stored.get(connection, name)

    def server_pid(self) -> int | None:
        """The process that serves this data directory on this host; None where none does."""
        try:
            inode = (self.settings.state_dir / "server.lock").stat().st_ino
            locks = Path("/proc/locks").read_text()
        except OSError:
            return None
        found = (match for match in map(_FLOCK.search, locks.splitlines()) if match is not None)
        return next(
            (int(match[1]) for match in found if int(match[2]) == inode and _is_there(int(match[1]))), None
        )


@contextmanager
def examined(settings: Settings, ntp_server: str | None = None) -> Iterator[Deployment]:
    """A deployment, for as long as a block takes."""
    if not has_database(settings):
        trouble = (
            f"there is no server in {settings.data_dir}: give --data-dir, or run `kms-server serve` first"
        )
        yield Deployment(settings, trouble=trouble, ntp_server=ntp_server)
        return
    with tempfile.TemporaryDirectory(prefix="kms-doctor-") as scratch:
        try:
            database = look_into(settings.database_url, settings.data_dir, Path(scratch))
        except OperatorError as error:
            yield Deployment(settings, trouble=str(error), ntp_server=ntp_server)
            return
        with closing(database):
            yield _looked_into(settings, database, ntp_server)


def _looked_into(settings: Settings, database: Database, ntp_server: str | None) -> Deployment:
    try:
        with database.engine.connect() as connection:
            schema = schema_version.current(connection)
    except DBAPIError as error:
        return Deployment(settings, trouble=failure_of(error) or in_words(error), ntp_server=ntp_server)
    return Deployment(settings, database, None, schema, ntp_server)


def _is_there(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")  # noqa: PTH110 - no path of ours
