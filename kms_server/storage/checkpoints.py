"""Signed checkpoints of the audit log, as they are kept."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text

from kms_server.storage.trail_tables import audit_checkpoints

_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint: its JSON, the fingerprint of the key that signed it, and the signature."""

    number: int
    time: float
    body: str
    fingerprint: str
    signature: bytes


_ALL = select(*(audit_checkpoints.c[one.name] for one in fields(KeptCheckpoint)))
_OLDEST_FIRST = _ALL.order_by(audit_checkpoints.c.number)
_NEWEST_FIRST = _ALL.order_by(audit_checkpoints.c.number.desc())


def take_turns(connection: Connection) -> None:
    """Let nobody else write checkpoints in this transaction of `Database.index`; on SQLite nobody does anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {audit_checkpoints.name} IN SHARE ROW EXCLUSIVE MODE"))


def add(connection: Connection, checkpoint: KeptCheckpoint) -> None:
    """Store a new checkpoint; no other can have its number."""
    connection.execute(insert(audit_checkpoints), asdict(checkpoint))


def get(connection: Connection, number: int) -> KeptCheckpoint | None:
    """The checkpoint of that number."""
    return _first(connection, _ALL.where(audit_checkpoints.c.number == number))


def newest(connection: Connection) -> KeptCheckpoint | None:
    """The checkpoint of the highest number."""
    return _first(connection, _NEWEST_FIRST.limit(1))


def oldest(connection: Connection) -> KeptCheckpoint | None:
    """The checkpoint of the lowest number."""
    return _first(connection, _OLDEST_FIRST.limit(1))


def newest_first(connection: Connection) -> Iterator[KeptCheckpoint]:
    """All checkpoints from the newest to the oldest."""
    page = _page(connection, _NEWEST_FIRST)
    while page:
        yield from page
        page = _page(connection, _NEWEST_FIRST.where(audit_checkpoints.c.number < page[-1].number))


def oldest_first(connection: Connection, after: int = 0) -> Iterator[KeptCheckpoint]:
    """All checkpoints of higher numbers than `after`, from the oldest to the newest."""
    page = _page(connection, _OLDEST_FIRST.where(audit_checkpoints.c.number > after))
    while page:
        yield from page
        page = _page(connection, _OLDEST_FIRST.where(audit_checkpoints.c.number > page[-1].number))


def remove_before(connection: Connection, number: int) -> None:
    """Remove the checkpoints of lower numbers."""
    connection.execute(delete(audit_checkpoints).where(audit_checkpoints.c.number < number))


def _first(connection: Connection, wanted: Any) -> KeptCheckpoint | None:  # noqa: ANN401 - a Select of all columns
    found = connection.execute(wanted).first()
    return None if found is None else KeptCheckpoint(*found)


def _page(connection: Connection, wanted: Any) -> list[KeptCheckpoint]:  # noqa: ANN401
    return [KeptCheckpoint(*row) for row in connection.execute(wanted.limit(_AT_ONCE))]
