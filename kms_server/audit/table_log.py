"""The audit log in the table of a shared database."""

import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, Engine, Table, insert

from kms_server.audit.chain import COLUMNS, Batch, ChainKey, extended
from kms_server.audit.log import Outdated
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

    def append(self, rows: Sequence[Row], decided_on: int | None = None) -> None:
        """Store rows durably, unless something has changed since what they were `decided_on`.

        The newest stamp comes with the first statement, after all calls of the batch were decided: it is at least that of
        every change which was acknowledged before any of them came.

        Raises:
            Outdated: something has; nothing was stored.
        """
        writer, head = self._writer, self._head
        self._writer, self._head = _fresh()
        try:
            batch, writer = self._append(writer, head, rows, decided_on)
        except Outdated:
            self._writer, self._head = writer, head
            raise
        self._writer, self._head = writer, batch.head

    def _append(
        self, writer: str, head: Head, rows: Sequence[Row], decided_on: int | None
    ) -> tuple[Batch, str]:
        batch = extended(self._key, writer, head, rows)
        with self._engine.begin() as connection:
            newest = self._move(connection, writer, head, batch.head)
            if newest is None:  # pruned wholly meanwhile
                writer, head = _fresh()
                batch = extended(self._key, writer, head, rows)
                newest = self._move(connection, writer, head, batch.head)
            if newest is not None and decided_on is not None and newest > decided_on:
                raise Outdated(newest)
            connection.execute(
                insert(self._table), [dict(zip(COLUMNS, row, strict=True)) for row in batch.rows]
            )
        return batch, writer

    def _move(self, connection: Connection, writer: str, old: Head, new: Head) -> int | None:
        return audit_writers.move(connection, writer, old, new, is_data=self._table is audit_data_events)

    def close(self) -> None:
        """Nothing to release: the engine belongs to the database."""


def _fresh() -> tuple[str, Head]:
    return secrets.token_hex(8), START
