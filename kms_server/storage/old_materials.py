"""What is wrapped under backing keys of the SSE-S3 master that are no longer current."""

from collections.abc import Collection, Iterator

from sqlalchemy import Column, Connection

from kms_server.storage.distinct import distinct


def old_materials(
    connection: Connection, column: "Column[str | None]", current: Collection[str], first: str = ""
) -> Iterator[str]:
    """The values of an indexed column, from `first` on, that are not among `current`; each costs one look into the index."""
    return (found for found in distinct(connection, column, column >= first) if found not in current)
