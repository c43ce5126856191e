"""The keys that sign digests and checkpoints, as they are kept."""

from dataclasses import asdict, dataclass, field, fields

from sqlalchemy import Connection, insert, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.trail_tables import signing_keys


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key: its public half (DER of PKCS #1), and its private half, wrapped, until that is erased."""

    fingerprint: str
    public_key: bytes
    wrapped: bytes | None = field(repr=False)
    starts_at: float
    ends_at: float
    proof: bytes


_COLUMNS = [signing_keys.c[one.name] for one in fields(KeptKey)]


def add(tx: Transaction, key: KeptKey) -> None:
    """Store a new key."""
    tx.connection.execute(insert(signing_keys), asdict(key))


def get(connection: Connection, fingerprint: str) -> KeptKey | None:
    """The key of that fingerprint."""
    found = connection.execute(
        select(*_COLUMNS).where(signing_keys.c.fingerprint == fingerprint)
    ).one_or_none()
    return None if found is None else KeptKey(*found)


def between(connection: Connection, start: float, end: float) -> list[KeptKey]:
    """The keys that were valid at any time from `start` to `end`, oldest first."""
    columns = signing_keys.c
    wanted = select(*_COLUMNS).where(columns.starts_at <= end, columns.ends_at >= start)
    return [KeptKey(*row) for row in connection.execute(wanted.order_by(columns.starts_at))]


def replace(tx: Transaction, key: KeptKey) -> None:
    """Store a key anew: its validity, its private half and its proof may have changed."""
    values = asdict(key)
    tx.connection.execute(
        update(signing_keys).where(signing_keys.c.fingerprint == values.pop("fingerprint")).values(**values)
    )
