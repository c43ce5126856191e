"""Limits that were set apart from the quota profile."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from kms_server.storage.database import Transaction
from kms_server.storage.limit_tables import limits

SCOPE = "limits"


@dataclass(frozen=True, slots=True)
class SetLimit:
    """`rate` calls per second, or how many there may be; `burst` calls at once, derived from the rate when None."""

    subject: str
    rate: float
    burst: float | None


def all_limits(connection: Connection) -> dict[str, SetLimit]:
    """Every limit that was set, by subject."""
    rows = connection.execute(select(limits).order_by(limits.c.subject))
    return {row.subject: SetLimit(row.subject, row.rate, row.burst) for row in rows}


def get(connection: Connection, subject: str) -> SetLimit | None:
    """The limit that was set on a subject."""
    row = connection.execute(select(limits).where(limits.c.subject == subject)).one_or_none()
    return None if row is None else SetLimit(row.subject, row.rate, row.burst)


def put(tx: Transaction, limit: SetLimit) -> None:
    """Set or replace the limit of a subject."""
    tx.connection.execute(delete(limits).where(limits.c.subject == limit.subject))
    tx.connection.execute(insert(limits).values(subject=limit.subject, rate=limit.rate, burst=limit.burst))
    tx.mark(SCOPE)


def remove(tx: Transaction, subject: str) -> bool:
    """Drop the limit of a subject; False when there was none."""
    removed = tx.connection.execute(delete(limits).where(limits.c.subject == subject))
    tx.mark(SCOPE)
    return removed.rowcount > 0
