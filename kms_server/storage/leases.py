"""Leases: one process of all hosts does what only one may do at a time.

Expiry is in epoch seconds of the database's clock: those of hosts may differ, and jump.
"""

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kms_server.clock import real_now
from kms_server.storage.tables import settings


def take(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take a lease, or hold it longer; False: another has it until it expires.

    In a transaction of `Database.index`: of two that try at once one waits, and then finds the other's.
    """
    now = database_now(connection)
    mine = f"{now + seconds:.3f} {holder}"
    found = _kept(connection, name)
    if found is None:
        insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(settings)
        made = insert.values(name=name, value=mine).on_conflict_do_nothing()
        return connection.execute(made).rowcount == 1
    expiry, _, owner = found.partition(" ")
    if owner != holder and float(expiry) > now:
        return False
    kept = update(settings).where(settings.c.name == name, settings.c.value == found).values(value=mine)
    return connection.execute(kept).rowcount == 1


def holder(connection: Connection, name: str) -> str | None:
    """Who took a lease last."""
    found = _kept(connection, name)
    return None if found is None else found.partition(" ")[2]


def was_held(connection: Connection, name: str, within: float) -> bool:
    """Whether anybody held a lease within the last seconds."""
    found = _kept(connection, name)
    return found is not None and float(found.partition(" ")[0]) >= database_now(connection) - within


def _kept(connection: Connection, name: str) -> str | None:
    return connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar()


def database_now(connection: Connection) -> float:
    """Epoch seconds by the clock that all processes at a database share."""
    if connection.dialect.name == "sqlite":
        return real_now()
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
