"""Audit records of mutations: they commit with what they record."""

from collections.abc import Mapping

from sqlalchemy import insert

from kms_server.storage.database import Transaction
from kms_server.storage.tables import audit_events


def add(tx: Transaction, row: Mapping[str, object]) -> None:
    """Store one record, given by column."""
    tx.connection.execute(insert(audit_events).values(**row))
