"""The heads of the chains of audit records that are in the shared database."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from kms_server.storage.audit_tables import audit_data_events, audit_events, audit_writers


class Head(NamedTuple):
    """The newest row of a chain: its place, and the link of its batch (32 bytes; empty before the first)."""

    seq: int
    link: bytes


START = Head(0, b"")


class Chain(NamedTuple):
    """A chain of the shared database: its head, and the end of what was pruned of it."""

    writer: str
    head: Head
    pruned: Head


_CHAIN = select(
    audit_writers.c.writer, audit_writers.c.seq, audit_writers.c.link, audit_writers.c.pruned_seq,
    audit_writers.c.pruned_link,
)  # fmt: skip


def head(connection: Connection, writer: str) -> Head:
    """Where a writer's chain ends; it stays so until the transaction ends."""
    statement = select(audit_writers.c.seq, audit_writers.c.link).where(audit_writers.c.writer == writer)
    found = connection.execute(statement.with_for_update()).one_or_none()
    return Head(*found) if found else START


def heads(connection: Connection, *, is_data: bool) -> dict[str, Head]:
    """Where all chains of management events, or of data events, end."""
    return {chain.writer: chain.head for chain in chains(connection, is_data=is_data)}


def chains(connection: Connection, *, is_data: bool) -> list[Chain]:
    """All chains of management events, or of data events."""
    found = connection.execute(_CHAIN.where(audit_writers.c.is_data.is_(is_data)))
    return [
        Chain(writer, Head(seq, link), Head(pruned_seq, pruned_link or b""))
        for writer, seq, link, pruned_seq, pruned_link in found
    ]


def has_event(connection: Connection, event_id: str, *, is_data: bool) -> bool:
    """Whether the record of a change is there, by its event id."""
    column = (audit_data_events if is_data else audit_events).c.event_id
    return connection.execute(select(column).where(column == event_id)).first() is not None


def is_begun(connection: Connection) -> bool:
    """Whether there is any chain in the shared database."""
    return connection.execute(select(audit_writers.c.writer).limit(1)).first() is not None


def move(connection: Connection, writer: str, old: Head, new: Head, *, is_data: bool) -> None:
    """Note where a chain ends now that ended at `old`, in the transaction that makes it longer and has locked its end."""
    if old == START:
        values = {"writer": writer, "is_data": is_data, **new._asdict()}
        connection.execute(insert(audit_writers).values(values))
        return
    ends_there = (audit_writers.c.writer == writer) & (audit_writers.c.seq == old.seq)
    connection.execute(update(audit_writers).where(ends_there).values(**new._asdict()))


def prune(connection: Connection, writer: str, after: int, end: Head) -> bool:
    """Note that the rows of a chain up to `end` are pruned, in the transaction that deletes them.

    False: it was not pruned up to number `after`, so another process is at it.
    """
    columns = audit_writers.c
    mine = (columns.writer == writer) & (columns.pruned_seq == after)
    noted = update(audit_writers).where(mine).values(pruned_seq=end.seq, pruned_link=end.link)
    return connection.execute(noted).rowcount == 1


def remove(connection: Connection, writer: str) -> bool:
    """Forget a chain that was wholly pruned; False: it was not, or has become longer."""
    columns = audit_writers.c
    empty = (columns.writer == writer) & (columns.pruned_seq == columns.seq)
    return connection.execute(delete(audit_writers).where(empty)).rowcount == 1
