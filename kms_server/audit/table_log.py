"""The audit log in the table of a shared database."""

from collections.abc import Sequence

from sqlalchemy import Engine, Table
from sqlalchemy.dialects.postgresql import insert

from kms_server.audit.record import Row


class TableLog:
    """Appends to a table of PostgreSQL, one transaction per batch."""

    def __init__(self, engine: Engine, table: Table) -> None:
        self._engine = engine
        self._table = table

    def append(self, rows: Sequence[Row]) -> None:
        """Store rows durably; known event ids are passed over."""
        statement = insert(self._table).on_conflict_do_nothing()
        with self._engine.begin() as connection:
            connection.execute(statement, [row._asdict() for row in rows])

    def close(self) -> None:
        """Nothing to release: the engine belongs to the database."""
