"""The digest files of trails: a chain for each trail and Region."""

from dataclasses import asdict, dataclass, fields

from sqlalchemy import ColumnElement, Connection, insert, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.trail_tables import trail_digests


@dataclass(frozen=True, slots=True)
class TrailDigest:
    """A digest file; times are epoch seconds of the service's clock, `hash` and `signature` hexadecimal.

    `body` is not compressed, and empty once the digest is delivered. `fingerprint` is of the key that signed it. Behind a
    `final` one a new chain begins.
    """

    trail_id: str
    region: str
    starts_at: float
    ends_at: float
    bucket: str
    object_key: str
    body: bytes
    hash: str
    signature: str
    fingerprint: str
    final: bool
    delivered_at: float | None = None


_COLUMNS = [trail_digests.c[one.name] for one in fields(TrailDigest)]


def add(tx: Transaction, digest: TrailDigest) -> None:
    """Store a digest that is to be delivered."""
    tx.connection.execute(insert(trail_digests), asdict(digest))


def last(connection: Connection, trail_id: str, region: str) -> TrailDigest | None:
    """The newest digest of a trail and Region."""
    columns = trail_digests.c
    mine = select(*_COLUMNS).where(columns.trail_id == trail_id, columns.region == region)
    found = connection.execute(mine.order_by(columns.ends_at.desc()).limit(1)).one_or_none()
    return None if found is None else TrailDigest(*found)


def pending(connection: Connection, trail_id: str) -> list[TrailDigest]:
    """The digests of a trail that are not delivered yet, oldest first."""
    return _where(connection, trail_digests.c.trail_id == trail_id, trail_digests.c.delivered_at.is_(None))


def of_trail(connection: Connection, trail_id: str) -> list[TrailDigest]:
    """All digests of a trail, oldest first."""
    return _where(connection, trail_digests.c.trail_id == trail_id)


def regions(connection: Connection, trail_id: str) -> set[str]:
    """The Regions that a trail has digests of."""
    found = select(trail_digests.c.region).where(trail_digests.c.trail_id == trail_id).distinct()
    return set(connection.execute(found).scalars())


def deliver(tx: Transaction, digest: TrailDigest, at: float) -> None:
    """Note that a digest was delivered: its body is not needed any more."""
    columns = trail_digests.c
    same = (
        columns.trail_id == digest.trail_id, columns.region == digest.region, columns.ends_at == digest.ends_at,
        columns.delivered_at.is_(None),
    )  # fmt: skip
    tx.connection.execute(update(trail_digests).where(*same).values(delivered_at=at, body=b""))


def _where(connection: Connection, *conditions: ColumnElement[bool]) -> list[TrailDigest]:
    columns = trail_digests.c
    ordered = select(*_COLUMNS).where(*conditions).order_by(columns.region, columns.ends_at)
    return [TrailDigest(*row) for row in connection.execute(ordered)]
