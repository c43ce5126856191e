"""Records of mutations: they commit with what they record, in chains of the shared database."""

import secrets
import threading

from sqlalchemy import Connection, insert

from kms_server.audit.chain import COLUMNS, ChainKey, extended
from kms_server.audit.record import Event, rows_of
from kms_server.storage import audit_writers
from kms_server.storage.audit_tables import audit_data_events, audit_events
from kms_server.storage.audit_writers import START, Head

MAIN, OBJECTS = "main", "objects"


class Ledger:
    """Adds records within transactions of `Database.write` and `Database.index`."""

    def __init__(self, key: ChainKey) -> None:
        self._key = key
        self._own = threading.local()

    def add(self, connection: Connection, event: Event) -> None:
        """Store the record of an event, and those that it has in other accounts and Regions."""
        writer, head = self._end(connection, event)
        table = audit_data_events if event.heading.is_data else audit_events
        batch = extended(self._key, writer, head, rows_of(event))
        connection.execute(insert(table), [dict(zip(COLUMNS, row, strict=True)) for row in batch.rows])
        audit_writers.move(connection, writer, head, batch.head, is_data=event.heading.is_data)

    def _end(self, connection: Connection, event: Event) -> tuple[str, Head]:
        """The chain that a record goes to: writers of management events, and of SQLite, take turns anyway."""
        if not event.heading.is_data:
            return MAIN, audit_writers.head(connection, MAIN)
        if connection.dialect.name == "sqlite":
            return OBJECTS, audit_writers.head(connection, OBJECTS)
        writer: str = getattr(self._own, "writer", "")
        head = audit_writers.head(connection, writer)
        if head == START:  # there is none yet, or it was pruned wholly
            self._own.writer = writer = f"{OBJECTS}-{secrets.token_hex(8)}"
        return writer, head
