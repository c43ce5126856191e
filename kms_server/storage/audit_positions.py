"""How far those who follow the audit log have come: of each writer the number of the newest row they have taken."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, insert, select

from kms_server.storage.trail_tables import audit_positions


def get(connection: Connection, reader: str) -> dict[str, int]:
    """The positions of a reader by writer; a writer that is not there was never read."""
    columns = audit_positions.c
    found = connection.execute(select(columns.writer, columns.seq).where(columns.reader == reader))
    return {row.writer: row.seq for row in found}


def put(connection: Connection, reader: str, positions: Mapping[str, int]) -> None:
    """Move a reader; its positions at other writers stay."""
    columns = audit_positions.c
    mine = columns.reader == reader
    connection.execute(delete(audit_positions).where(mine, columns.writer.in_(list(positions))))
    rows = [{"reader": reader, "writer": writer, "seq": seq} for writer, seq in positions.items()]
    if rows:
        connection.execute(insert(audit_positions), rows)


def remove(connection: Connection, reader: str) -> None:
    """Forget a reader."""
    connection.execute(delete(audit_positions).where(audit_positions.c.reader == reader))


def writers(connection: Connection) -> set[str]:
    """The writers at which any reader has a position."""
    return set(connection.execute(select(audit_positions.c.writer).distinct()).scalars())


def remove_writers(connection: Connection, gone: Collection[str]) -> None:
    """Forget the positions of all readers at writers whose rows are gone."""
    connection.execute(delete(audit_positions).where(audit_positions.c.writer.in_(gone)))
