"""Which process that serves holds which versions of the root key. Rows outlive a process that is killed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from kms_server.storage.leases import database_now
from kms_server.storage.root_tables import root_holders


@dataclass(frozen=True, slots=True)
class RootHolder:
    """A process, the versions that it holds and the one that it wraps under.

    `problem` says why it does not hold another; `silent_for` is in seconds since it was last heard of.
    """

    holder: str
    host: str
    pid: int
    holds: frozenset[int]
    wraps: int
    problem: str | None = None
    silent_for: float = 0.0


def every(connection: Connection) -> list[RootHolder]:
    """All processes that have not said that they end, by host and process id."""
    now = database_now(connection)
    rows = connection.execute(select(root_holders).order_by(root_holders.c.host, root_holders.c.pid))
    return [
        RootHolder(
            row.holder, row.host, row.pid, frozenset(map(int, row.holds.split(","))), row.wraps, row.problem,
            now - row.answered_at,
        )
        for row in rows
    ]  # fmt: skip


def tell(connection: Connection, one: RootHolder) -> None:
    """Say what a process holds now."""
    values = {
        "host": one.host, "pid": one.pid, "holds": ",".join(map(str, sorted(one.holds))), "wraps": one.wraps,
        "problem": one.problem, "answered_at": database_now(connection),
    }  # fmt: skip
    known = update(root_holders).where(root_holders.c.holder == one.holder).values(values)
    if connection.execute(known).rowcount == 0:
        connection.execute(insert(root_holders).values(holder=one.holder, **values))


def remove(connection: Connection, holders: Sequence[str]) -> None:
    """Forget processes that have ended."""
    connection.execute(delete(root_holders).where(root_holders.c.holder.in_(holders)))
