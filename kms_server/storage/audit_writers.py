"""The heads of the chains of audit records that are in the shared database."""

from types import ModuleType
from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from kms_server.storage.tables import audit_writers


class Head(NamedTuple):
    """The newest row of a chain: its place, and the link of its batch (32 bytes; empty before the first)."""

    seq: int
    link: bytes


START = Head(0, b"")


def head(connection: Connection, writer: str) -> Head:
    """Where a writer's chain ends."""
    statement = select(audit_writers.c.seq, audit_writers.c.link).where(audit_writers.c.writer == writer)
    found = connection.execute(statement).one_or_none()
    return Head(*found) if found else START


def heads(connection: Connection, *, is_data: bool) -> dict[str, Head]:
    """Where all chains of management events, or of data events, end."""
    columns = audit_writers.c
    statement = select(columns.writer, columns.seq, columns.link).where(columns.is_data.is_(is_data))
    return {writer: Head(seq, link) for writer, seq, link in connection.execute(statement)}


class Span(NamedTuple):
    """What should be there of a chain: its head, and the last row that was pruned (START: none was)."""

    head: Head
    pruned: Head


def spans(connection: Connection, *, is_data: bool) -> dict[str, Span]:
    """What should be there of all chains of management events, or of data events."""
    columns = audit_writers.c
    statement = select(
        columns.writer, columns.seq, columns.link, columns.pruned_seq, columns.pruned_link
    ).where(columns.is_data.is_(is_data))
    return {
        writer: Span(Head(seq, link), Head(pruned_seq, pruned_link or b""))
        for writer, seq, link, pruned_seq, pruned_link in connection.execute(statement)
    }


def move(connection: Connection, writer: str, head: Head, *, is_data: bool) -> None:
    """Note where a chain ends now, in the transaction that makes it longer."""
    values: dict[str, Any] = {"writer": writer, "is_data": is_data, **head._asdict()}
    statement = _dialect(connection).insert(audit_writers).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["writer"], set_=head._asdict()))


def _dialect(connection: Connection) -> ModuleType:
    return sqlite if connection.dialect.name == "sqlite" else postgresql
