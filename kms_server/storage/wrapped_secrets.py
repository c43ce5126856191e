"""Secrets of the whole server, wrapped under the root key."""

from sqlalchemy import Connection, insert, select

from kms_server.storage.database import Transaction
from kms_server.storage.root_tables import wrapped_secrets

CHAIN_KEY = "chain_key"
TOKEN_KEY = "token_key"  # noqa: S105 - the name of a row


def get(connection: Connection, name: str) -> bytes | None:
    """The wrapped secret called `name`, if it was made."""
    return connection.execute(
        select(wrapped_secrets.c.wrapped).where(wrapped_secrets.c.name == name)
    ).scalar()


def add(tx: Transaction, name: str, wrapped: bytes) -> None:
    """Store a new secret."""
    tx.connection.execute(insert(wrapped_secrets).values(name=name, wrapped=wrapped))
