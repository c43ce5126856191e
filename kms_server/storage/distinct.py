"""The different values of a column, found without going through the rows."""

from collections.abc import Iterator

from sqlalchemy import Column, ColumnElement, Connection, select


def distinct(
    connection: Connection, column: "Column[str] | Column[str | None]", condition: ColumnElement[bool]
) -> Iterator[str]:
    """The values of a column, in order, among the rows that fit a condition.

    Each costs one look into an index of what the condition compares, and then the column.
    """
    within = condition
    while True:
        found = connection.execute(select(column).where(within).order_by(column).limit(1)).scalar()
        if found is None:
            return
        within = condition & (column > found)
        yield found
