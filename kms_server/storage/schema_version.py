"""Which schema a database has, and which this program works with: what one may ask without Alembic."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

import kms_server
from kms_server.errors import OperatorError
from kms_server.storage import settings

_TABLE = "alembic_version"


def scripts() -> Path:
    """Where the migrations are: in a wheel in the package, in a checkout beside it."""
    package = Path(kms_server.__file__).parent
    inside, beside = package / "_migrations", package.parent / "migrations"
    return inside if inside.exists() else beside


def known() -> list[str]:
    """All schema versions, the oldest first; each migration's file is called VERSION_what_it_does.py."""
    return sorted(path.name.partition("_")[0] for path in (scripts() / "versions").glob("[0-9]*_*.py"))


def current(connection: Connection) -> str | None:
    """The schema version of a database; None when it has none."""
    if not inspect(connection).has_table(_TABLE):
        return None
    version: str | None = connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalar()  # noqa: S608 - a constant
    return version


def require_current(engine: Engine) -> None:
    """Check that a database has this program's schema.

    Raises:
        OperatorError: it is older, newer or empty.
    """
    with engine.connect() as connection:
        newer = is_newer(connection)
        version = current(connection)
    if not newer and version != known()[-1]:
        raise OperatorError("the database's schema is not up to date: run `kms-server migrate`")


def is_newer(connection: Connection) -> bool:
    """Whether a newer program made the schema, which says that this one may go on with it.

    Raises:
        OperatorError: it does not say so.
    """
    version = current(connection)
    if version is None or version in known():
        return False
    # All versions have as many digits.
    if known()[-1] < (settings.get(connection, settings.SCHEMA_SERVES) or version):
        raise OperatorError(
            f"the database is from a newer version (schema {version}): upgrade kms-server, nothing was changed"
        )
    return True
