"""Bringing a database's schema up to date with Alembic."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

import kms_server
from kms_server.errors import OperatorError
from kms_server.storage.writer_lock import WriterLock

_LOCK_ID = 0x6B6D73


def _config(connection: Connection | None = None) -> Config:
    package = Path(kms_server.__file__).parent
    # In a wheel the scripts lie in the package, in a checkout beside it.
    inside, beside = package / "_migrations", package.parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(inside if inside.exists() else beside).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The schema version this program works with."""
    version = ScriptDirectory.from_config(_config()).get_current_head()
    assert version is not None  # noqa: S101 - there is a first version
    return version


def current(engine: Engine) -> str | None:
    """The schema version of a database; None when it has none."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> None:
    """Bring a database to this program's version; several servers may start at once.

    Raises:
        OperatorError: the database is from a newer version.
    """
    with engine.connect().execution_options(kms_write=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = '30s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
        # A newer server may have had its turn while this one waited.
        _refuse_newer(MigrationContext.configure(connection).get_current_revision())
        command.upgrade(_config(connection), "head")


def require_current(engine: Engine) -> None:
    """Check that a database has this program's schema.

    Raises:
        OperatorError: it is older, newer or empty.
    """
    version = current(engine)
    _refuse_newer(version)
    if version != head():
        raise OperatorError("the database's schema is not up to date: run `kms-server migrate`")


def _refuse_newer(version: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if version is not None and version not in known:
        raise OperatorError(
            f"the database is from a newer version (schema {version}): upgrade kms-server, nothing was changed"
        )


@contextmanager
def lock(state_dir: Path) -> Iterator[None]:
    """One migration at a time on this host; SQLite has no lock of its own that waits fairly."""
    with WriterLock(state_dir / "writer.lock").held():
        yield
