"""Faults that are injected into calls: which calls each one counts, and what becomes of them."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from kms_server.errors import (
    DependencyTimeoutException,
    KMSInternalException,
    ServiceError,
    ThrottlingException,
)
from kms_server.storage.database import Database, Transaction
from kms_server.storage.limit_tables import injected_faults as table

SCOPE = "faults"
MOST = 100
MOST_CALLS = 1_000_000_000
LONGEST_SCHEDULE = 1_000
LONGEST_PATTERN = 1_024
# A call that takes 30 s is given up; this one is still answered.
LONGEST_DELAY = 25.0
ERRORS: Mapping[str, type[ServiceError]] = {
    error.code: error for error in (ThrottlingException, KMSInternalException, DependencyTimeoutException)
}


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """What happens to the calls that match `account`, `operation`, `key_id` and `principal`; None matches any.

    `principal` is a pattern of ARNs. `schedule` has a digit for each call in turn, used over and over: a call is met where
    it is 1, and passes where it is 0. `calls` is how many calls the fault counts before it goes, None: it stays; `seen` is
    how many it has counted. A call that is met takes `delay` seconds longer and then fails with `error`, unless that is
    None.
    """

    error: str | None
    delay: float
    schedule: str
    calls: int | None
    created_at: float
    account: str | None = None
    operation: str | None = None
    key_id: str | None = None
    principal: str | None = None
    seen: int = 0
    fault_id: str = field(default_factory=lambda: secrets.token_hex(8))

    def meets(self, position: int) -> bool:
        """Whether the call at a position, counted from 1, is met."""
        return self.schedule[(position - 1) % len(self.schedule)] == "1"


def every(connection: Connection) -> tuple[InjectedFault, ...]:
    """All faults, the oldest first."""
    columns = (column for column in table.c if column is not table.c.number)
    rows = connection.execute(select(*columns).order_by(table.c.number))
    return tuple(InjectedFault(**row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's public name


def number_of(connection: Connection) -> int:
    """How many faults there are."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def add(tx: Transaction, fault: InjectedFault) -> None:
    """Store a fault behind all others."""
    tx.connection.execute(insert(table).values(asdict(fault)))
    tx.mark(SCOPE)


def remove(tx: Transaction, fault_id: str) -> bool:
    """Drop a fault; False when there was none."""
    removed = tx.connection.execute(delete(table).where(table.c.fault_id == fault_id))
    tx.mark(SCOPE)
    return removed.rowcount > 0


def take(database: Database, fault: InjectedFault) -> int | None:
    """Count a call: its position among those that the fault counts, from 1; None where the fault is used up or gone.

    In a transaction of its own, which is over when it returns. Each position is given once, over all processes and hosts,
    and with the last one the fault goes; until then no cache has to read anything anew.
    """
    with database.index() as connection:
        position = _count(connection, fault.fault_id)
    if position is None and fault.calls is not None:
        with database.write() as tx:
            position = _use_up(tx, fault.fault_id)
    return position


def _count(connection: Connection, fault_id: str) -> int | None:
    """Count any call but the last."""
    left = or_(table.c.calls.is_(None), table.c.seen + 1 < table.c.calls)
    counted = update(table).where(table.c.fault_id == fault_id, left).values(seen=table.c.seen + 1)
    return connection.execute(counted.returning(table.c.seen)).scalar()


def _use_up(tx: Transaction, fault_id: str) -> int | None:
    """Count the last call."""
    last = delete(table).where(table.c.fault_id == fault_id, table.c.seen + 1 >= table.c.calls)
    position = tx.connection.execute(last.returning(table.c.calls)).scalar()
    tx.mark(SCOPE)
    return position
