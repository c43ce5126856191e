"""Leases: one process of all hosts does what only one may do at a time. Expiry is in epoch seconds of the real clock."""

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kms_server.storage.tables import settings


def take(connection: Connection, name: str, holder: str, now: float, expires_at: float) -> bool:
    """Take a lease, or hold it longer; False: another has it until it expires.

    In a transaction of `Database.index`: of two that try at once one waits, and then finds the other's.
    """
    mine = f"{expires_at:.3f} {holder}"
    found = connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar()
    if found is None:
        insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(settings)
        made = insert.values(name=name, value=mine).on_conflict_do_nothing()
        return connection.execute(made).rowcount == 1
    expiry, _, owner = found.partition(" ")
    if owner != holder and float(expiry) > now:
        return False
    kept = update(settings).where(settings.c.name == name, settings.c.value == found).values(value=mine)
    return connection.execute(kept).rowcount == 1


def was_held(connection: Connection, name: str, since: float) -> bool:
    """Whether anybody held a lease at that time or later."""
    found = connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar()
    return found is not None and float(found.partition(" ")[0]) >= since
