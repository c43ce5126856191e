"""Bringing a database's schema up to date with Alembic."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from kms_server.storage import schema_version
from kms_server.storage.database import take_time
from kms_server.storage.writer_lock import WriterLock

_LOCK_ID = 0x6B6D73


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(schema_version.scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine) -> None:
    """Bring a database to this program's version; several servers may start at once.

    Raises:
        OperatorError: the database is from a newer version.
    """
    with engine.connect().execution_options(kms_write=True) as connection, connection.begin():
        take_time(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = '30s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
        # A newer server may have had its turn while this one waited.
        schema_version.refuse_newer(schema_version.current(connection))
        command.upgrade(_config(connection), "head")


@contextmanager
def lock(state_dir: Path) -> Iterator[None]:
    """One migration at a time on this host; SQLite has no lock of its own that waits fairly."""
    with WriterLock(state_dir / "writer.lock").held():
        yield
