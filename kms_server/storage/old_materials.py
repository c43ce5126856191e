"""What is wrapped under backing keys of the SSE-S3 master that are no longer current."""

from collections.abc import Collection, Iterator

from sqlalchemy import Column, Connection, select


def old_materials(
    connection: Connection, column: "Column[str | None]", current: Collection[str]
) -> Iterator[str]:
    """The values of an indexed column that are not among `current`; each costs one look into the index."""
    latest = ""
    while True:
        following = select(column).where(column > latest).order_by(column).limit(1)
        found = connection.execute(following).scalar()
        if found is None:
            return
        latest = found
        if latest not in current:
            yield latest
