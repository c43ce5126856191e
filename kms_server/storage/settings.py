"""Single values that belong to the whole database."""

from sqlalchemy import Connection, delete, insert, select

from kms_server.storage.database import Transaction
from kms_server.storage.tables import settings

ROOT_FINGERPRINT = "root_fingerprint"
MODE = "mode"
STREAM_LEASE = "stream_lease"
DEV = "dev"
CHAIN_KEY = "chain_key"
CLOCK_CONTROL = "clock_control"
CLOCK_OFFSET = "clock_offset"
CLOCK_SCOPE = "clock"
FAULT_INJECTION = "fault_injection"
UNERASED = "unerased"
SCHEMA_SERVES = "schema_serves"  # the newest schema of the oldest program that can work with this one


def get(connection: Connection, name: str) -> str | None:
    """The value called `name`, if it was set."""
    return connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar()


def put(tx: Transaction, name: str, value: str) -> None:
    """Set the value called `name`."""
    tx.connection.execute(delete(settings).where(settings.c.name == name))
    tx.connection.execute(insert(settings).values(name=name, value=value))
    if name == CLOCK_OFFSET:
        tx.mark(CLOCK_SCOPE)
