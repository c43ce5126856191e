"""Audit records of mutations: they commit with what they record."""

from collections.abc import Mapping

from sqlalchemy import Connection, insert

from kms_server.storage.database import Transaction
from kms_server.storage.tables import audit_data_events, audit_events

_ADD = insert(audit_events)
_ADD_DATA = insert(audit_data_events)


def add(tx: Transaction, row: Mapping[str, object]) -> None:
    """Store one record, given by column."""
    tx.connection.execute(_ADD, row)


def add_data(connection: Connection, row: Mapping[str, object]) -> None:
    """Store the record of a data event, given by column, in the transaction that changes the object."""
    connection.execute(_ADD_DATA, row)
