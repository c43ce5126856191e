"""Buckets and their configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kms_server.storage.database import Transaction
from kms_server.storage.object_tables import buckets, objects, uploads

# Sorts after every character that a bucket's name may have.
_BEHIND = "\x7f"


class BucketGone(Exception):
    """The bucket was deleted in the meantime."""


def scope(name: str) -> str:
    """What stands for a bucket's configuration in the order of changes."""
    return f"bucket:{name}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket; `bucket_id` is opaque and never used again, `created_at` in epoch seconds.

    `versioning` is empty until it was ever set, then Enabled or Suspended. What else is configured are documents as their
    operations read and write them, None where nothing is set.
    """

    name: str
    bucket_id: str
    account: str
    region: str
    created_at: float
    versioning: str = ""
    encryption: str | None = None
    policy: str | None = None
    public_access: str | None = None
    ownership: str | None = None
    tags: str | None = None

    @property
    def arn(self) -> str:
        """The ARN of the bucket."""
        return f"arn:aws:s3:::{self.name}"


_SELECT = select(*[buckets.c[name] for name in Bucket.__slots__])


def get(connection: Connection, name: str) -> Bucket | None:
    """The bucket of that name, whosever it is."""
    return _bucket(connection.execute(_SELECT.where(buckets.c.name == name)).one_or_none())


def by_id(connection: Connection, bucket_id: str) -> Bucket | None:
    """The bucket of that id."""
    return _bucket(connection.execute(_SELECT.where(buckets.c.bucket_id == bucket_id)).one_or_none())


def add(tx: Transaction, bucket: Bucket) -> bool:
    """Store a new bucket; False when there is one of that name."""
    dialect = sqlite if tx.connection.dialect.name == "sqlite" else postgresql
    values = {name: getattr(bucket, name) for name in Bucket.__slots__}
    statement = dialect.insert(buckets).values(values).on_conflict_do_nothing(index_elements=["name"])
    added = tx.connection.execute(statement.returning(buckets.c.bucket_id)).scalar()
    tx.mark(scope(bucket.name))
    return added is not None


def change(tx: Transaction, bucket: Bucket, **fields: Any) -> None:  # noqa: ANN401 - columns have many types
    """Set columns of a bucket."""
    tx.connection.execute(update(buckets).where(buckets.c.bucket_id == bucket.bucket_id).values(**fields))
    tx.mark(scope(bucket.name))


def remove(tx: Transaction, bucket: Bucket) -> bool:
    """Delete a bucket; False when it still holds versions or uploads, or was deleted already."""
    own = buckets.c.bucket_id == bucket.bucket_id
    # Whoever puts the first version or upload of a key into it waits here, or is waited for.
    tx.connection.execute(select(buckets.c.bucket_id).where(own).with_for_update())
    for held in (objects, uploads):
        if tx.connection.execute(
            select(held.c.bucket_id).where(held.c.bucket_id == bucket.bucket_id)
        ).first():
            return False
    removed = tx.connection.execute(delete(buckets).where(own))
    tx.mark(scope(bucket.name))
    return removed.rowcount > 0


def of_account(
    connection: Connection, account: str, prefix: str, after: str | None, limit: int
) -> list[Bucket]:
    """Up to `limit` buckets of an account that begin with `prefix` and sort after `after`, in the order of names."""
    named = buckets.c.name.between(prefix, prefix + _BEHIND)
    statement = _SELECT.where(buckets.c.account == account, buckets.c.name > (after or ""), named)
    rows = connection.execute(statement.order_by(buckets.c.name).limit(limit))
    return [Bucket(*row) for row in rows]


def count(connection: Connection, account: str) -> int:
    """How many buckets an account has."""
    return connection.execute(select(func.count()).where(buckets.c.account == account)).scalar_one()


def _bucket(row: Sequence[Any] | None) -> Bucket | None:
    return Bucket(*row) if row else None
