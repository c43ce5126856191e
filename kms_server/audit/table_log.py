"""The audit log in the table of a shared database."""

import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, Engine, Table, insert

from kms_server.audit.chain import COLUMNS, ChainKey, extended
from kms_server.audit.record import Row
from kms_server.storage import audit_writers
from kms_server.storage.audit_tables import audit_data_events
from kms_server.storage.audit_writers import START, Head


class TableLog:
    """Appends to a table of PostgreSQL, one transaction per batch; one thread at a time.

    It is the only one to append to its chain, so it knows where that ends without reading. After a failure nobody
    knows, and another chain begins.
    """

    def __init__(self, engine: Engine, table: Table, key: ChainKey) -> None:
        self._engine = engine
        self._table = table
        self._key = key
        self._writer, self._head = _fresh()

    def append(self, rows: Sequence[Row]) -> None:
        """Store rows durably."""
        writer, head = self._writer, self._head
        self._writer, self._head = _fresh()
        batch = extended(self._key, writer, head, rows)
        with self._engine.begin() as connection:
            if not self._move(connection, writer, head, batch.head):  # pruned wholly meanwhile
                writer, head = _fresh()
                batch = extended(self._key, writer, head, rows)
                self._move(connection, writer, head, batch.head)
            connection.execute(
                insert(self._table), [dict(zip(COLUMNS, row, strict=True)) for row in batch.rows]
            )
        self._writer, self._head = writer, batch.head

    def _move(self, connection: Connection, writer: str, old: Head, new: Head) -> bool:
        return audit_writers.move(connection, writer, old, new, is_data=self._table is audit_data_events)

    def close(self) -> None:
        """Nothing to release: the engine belongs to the database."""


def _fresh() -> tuple[str, Head]:
    return secrets.token_hex(8), START
