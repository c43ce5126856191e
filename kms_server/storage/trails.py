"""Trails: what is to be delivered of the audit log, and where to."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from kms_server.arn import trail_arn
from kms_server.storage.database import Transaction
from kms_server.storage.trail_tables import trail_tags, trails


@dataclass(frozen=True, slots=True)
class Trail:
    """A trail (CloudTrail "Trail"); `region` is its home, times are epoch seconds of the service's clock.

    `prefix` is empty where there is none. `selectors` are event selectors as JSON; None: all management events. A
    deleted trail stays until what it recorded is delivered.
    """

    trail_id: str
    account: str
    region: str
    name: str
    bucket: str
    created_at: float
    prefix: str = ""
    kms_key: str | None = None
    global_events: bool = True
    multi_region: bool = False
    validation: bool = False
    selectors: str | None = None
    logging: bool = False
    started_at: float | None = None
    stopped_at: float | None = None
    deleted_at: float | None = None
    attempted_at: float | None = None
    delivered_at: float | None = None
    delivery_error: str | None = None
    digest_attempted_at: float | None = None
    digest_delivered_at: float | None = None
    digest_error: str | None = None

    @property
    def arn(self) -> str:
        """`arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME`."""
        return trail_arn(self.region, self.account, self.name)

    def is_seen_in(self, region: str) -> bool:
        """Whether the trail is in a Region: it is at home there, or its shadow is."""
        return self.multi_region or self.region == region


_COLUMNS = [trails.c[one.name] for one in fields(Trail)]
_IS_THERE = trails.c.deleted_at.is_(None)


def add(tx: Transaction, trail: Trail) -> None:
    """Store a new trail."""
    tx.connection.execute(insert(trails), {one.name: getattr(trail, one.name) for one in fields(Trail)})


def find(connection: Connection, account: str, region: str, name: str) -> Trail | None:
    """The trail of that name whose home is a Region."""
    found = _where(
        connection, trails.c.account == account, trails.c.region == region, trails.c.name == name, _IS_THERE
    )
    return found[0] if found else None


def get(connection: Connection, trail_id: str) -> Trail | None:
    """A trail by its id, whether it was deleted or not."""
    found = _where(connection, trails.c.trail_id == trail_id)
    return found[0] if found else None


def of_account(connection: Connection, account: str) -> list[Trail]:
    """The trails of an account, of all Regions, in the order of Region and name."""
    return _where(connection, trails.c.account == account, _IS_THERE)


def every(connection: Connection) -> list[Trail]:
    """All trails of all accounts, those that were deleted but are not done among them."""
    return _where(connection)


def change(tx: Transaction, trail_id: str, **values: object) -> None:
    """Change columns of a trail."""
    tx.connection.execute(update(trails).where(trails.c.trail_id == trail_id).values(**values))


def remove(tx: Transaction, trail_id: str) -> None:
    """Remove a trail with its tags, files and digests."""
    tx.connection.execute(delete(trails).where(trails.c.trail_id == trail_id))


def tags(connection: Connection, trail_id: str) -> dict[str, str]:
    """The tags of a trail."""
    columns = trail_tags.c
    found = select(columns.tag_key, columns.tag_value).where(columns.trail_id == trail_id)
    return dict(map(tuple, connection.execute(found.order_by(columns.tag_key))))


def put_tags(tx: Transaction, trail_id: str, given: Mapping[str, str]) -> None:
    """Set tags of a trail; those of the same key are replaced."""
    remove_tags(tx, trail_id, list(given))
    if given:
        rows = [{"trail_id": trail_id, "tag_key": key, "tag_value": value} for key, value in given.items()]
        tx.connection.execute(insert(trail_tags), rows)


def remove_tags(tx: Transaction, trail_id: str, keys: list[str]) -> None:
    """Remove tags of a trail."""
    tx.connection.execute(
        delete(trail_tags).where(trail_tags.c.trail_id == trail_id, trail_tags.c.tag_key.in_(keys))
    )


def _where(connection: Connection, *conditions: ColumnElement[bool]) -> list[Trail]:
    statement = select(*_COLUMNS).where(*conditions).order_by(trails.c.region, trails.c.name)
    rows: list[Any] = list(connection.execute(statement))
    return [Trail(**row._asdict()) for row in rows]
