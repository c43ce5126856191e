"""The audit log in the table of a shared database."""

from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from kms_server.audit.record import Row
from kms_server.storage.tables import audit_events


class TableLog:
    """Appends to PostgreSQL, one transaction per batch."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(self, rows: Sequence[Row]) -> None:
        """Store rows durably; known event ids are passed over."""
        statement = insert(audit_events).on_conflict_do_nothing()
        with self._engine.begin() as connection:
            connection.execute(statement, [row._asdict() for row in rows])

    def close(self) -> None:
        """Nothing to release: the engine belongs to the database."""
