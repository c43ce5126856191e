"""Bringing a database's schema up to date with Alembic."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, delete, insert, text
from sqlalchemy.exc import OperationalError

from kms_server.errors import OperatorError
from kms_server.storage import schema_version, settings, tables
from kms_server.storage.writer_lock import WriterLock

_LOCK_ID = 0x6B6D73
# Whoever wants a table that a migration waits for waits behind it: less than the audit deadline, then others have a turn.
_LOCK_TIMEOUT = 1_000  # milliseconds
_PAUSE, _PATIENCE = 0.5, 60.0  # seconds


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(schema_version.scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine) -> None:
    """Bring a database to this program's version, or leave it at a newer one that serves it; several servers may start at once.

    Raises:
        OperatorError: the database is from a newer version that does not, or its tables stayed locked.
    """
    deadline = time.monotonic() + _PATIENCE
    while not _upgrade(engine):
        if time.monotonic() > deadline:
            raise OperatorError(
                "another transaction keeps the database's tables locked: try again when it has ended"
            )
        time.sleep(_PAUSE)


def _upgrade(engine: Engine) -> bool:
    """False: something was locked, and nothing has changed."""
    with engine.connect().execution_options(kms_write=True) as connection:
        try:
            with connection.begin():
                _migrate(connection)
        except OperationalError as error:
            if isinstance(error.orig, LockNotAvailable):
                return False
            raise
    return True


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT}"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
    # A newer server may have had its turn while this one waited.
    if (
        schema_version.is_newer(connection)
        or schema_version.current(connection) == schema_version.known()[-1]
    ):
        return
    command.upgrade(_config(connection), "head")
    _note_served(connection)


def _note_served(connection: Connection) -> None:
    """Note which older programs can work with this schema: those that every migration they do not know `serves`."""
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    oldest = max(getattr(script.module, "serves", script.revision) for script in scripts)
    connection.execute(delete(tables.settings).where(tables.settings.c.name == settings.SCHEMA_SERVES))
    connection.execute(insert(tables.settings).values(name=settings.SCHEMA_SERVES, value=oldest))


@contextmanager
def lock(state_dir: Path) -> Iterator[None]:
    """One migration at a time on this host; SQLite has no lock of its own that waits fairly."""
    with WriterLock(state_dir / "writer.lock").held():
        yield
