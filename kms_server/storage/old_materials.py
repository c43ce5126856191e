"""What is wrapped under backing keys of the SSE-S3 master that are no longer current."""

from collections.abc import Collection, Iterator

from sqlalchemy import Column, Connection, select


def old_materials(
    connection: Connection, column: "Column[str | None]", current: Collection[str], first: str = ""
) -> Iterator[str]:
    """The values of an indexed column, from `first` on, that are not among `current`; each costs one look into the index."""
    within = column >= first
    while True:
        found = connection.execute(select(column).where(within).order_by(column).limit(1)).scalar()
        if found is None:
            return
        within = column > found
        if found not in current:
            yield found
