"""Whether a database that answers can be worked with."""

from functools import cache

from sqlalchemy import Connection, text

from kms_server.storage import schema_version

# A standby that has not been promoted, or a server that an operator, or a full disk's provider, has made read-only.
_READ_ONLY = text("SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean")


class ReadOnlyDatabase(Exception):
    """The database takes no writes."""


def require_writable(connection: Connection) -> None:
    """Check that a database takes writes, without making one. SQLite's file tells only when it is written to.

    Raises:
        ReadOnlyDatabase: it does not.
    """
    if connection.dialect.name == "postgresql" and connection.execute(_READ_ONLY).scalar_one():
        raise ReadOnlyDatabase


def schema_problem(connection: Connection) -> str | None:
    """Why this program cannot work with the schema as it is now; None: it can."""
    version = schema_version.current(connection)
    if version is None:
        return "the database has no schema: restore it from a backup"
    if version in _known() and version != _known()[-1]:
        return f"the database's schema is {version}, older than this program's: run `kms-server migrate`"
    return None


def schema_warning(connection: Connection) -> str | None:
    """What to say when a newer program has brought the schema up to date meanwhile."""
    version = schema_version.current(connection)
    if version is None or version in _known():
        return None
    return (
        f"the database has been upgraded to schema {version} while this program knows {_known()[-1]}: "
        "it goes on until it is stopped, and does not start again; upgrade it"
    )


@cache
def _known() -> list[str]:
    return schema_version.known()
