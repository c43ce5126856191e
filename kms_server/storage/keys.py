"""KMS keys and their backing keys."""

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from kms_server.keys.key import BackingKey, KmsKey
from kms_server.keys.states import KeyState
from kms_server.storage import aliases
from kms_server.storage.database import Transaction
from kms_server.storage.tables import backing_keys, deleted_keys, keys


def scope(key_id: str) -> str:
    """The change scope of a key, its policy, state and material."""
    return f"key:{key_id}"


def _key(row: Row[tuple[object, ...]]) -> KmsKey:
    fields = {name: value for name, value in row._mapping.items() if name != "last_use"}  # noqa: SLF001 - SQLAlchemy's public name
    return KmsKey(**fields | {"state": KeyState(fields["state"])})


def get(connection: Connection, key_id: str) -> KmsKey | None:
    """The key with that id in whatever account and Region, or None."""
    row = connection.execute(select(keys).where(keys.c.key_id == key_id)).one_or_none()
    return _key(row) if row else None


def get_backing_keys(connection: Connection, key_id: str) -> list[BackingKey]:
    """All versions of a key's material, oldest first."""
    columns = [column for column in backing_keys.c if column.name != "key_id"]
    rows = connection.execute(
        select(*columns).where(backing_keys.c.key_id == key_id).order_by(backing_keys.c.number)
    )
    return [BackingKey(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def add(tx: Transaction, key: KmsKey, backing: BackingKey) -> None:
    """Store a new key with its first material."""
    values = {column.name: getattr(key, column.name) for column in keys.c if column.name != "last_use"}
    tx.connection.execute(insert(keys).values(**values))
    add_backing_key(tx, key.key_id, backing)


def add_backing_key(tx: Transaction, key_id: str, backing: BackingKey) -> None:
    """Make `backing` the current material of the key; the former one still decrypts."""
    tx.connection.execute(
        update(backing_keys).where(backing_keys.c.key_id == key_id).values(is_current=False)
    )
    tx.connection.execute(
        insert(backing_keys).values(
            key_id=key_id,
            **{
                column.name: getattr(backing, column.name)
                for column in backing_keys.c
                if column.name != "key_id"
            },
        )
    )
    tx.mark(scope(key_id))


def change(tx: Transaction, key_id: str, **fields: object) -> None:
    """Set columns of a key."""
    tx.connection.execute(update(keys).where(keys.c.key_id == key_id).values(**fields))
    tx.mark(scope(key_id))


def remove(tx: Transaction, key_id: str, now: float) -> None:
    """Delete a key with its material, aliases and tags; its id stays known and is never used again."""
    for alias in aliases.names_of_key(tx.connection, key_id):
        tx.mark(aliases.scope(alias.account, alias.region, alias.name))
    tx.connection.execute(delete(keys).where(keys.c.key_id == key_id))
    tx.connection.execute(insert(deleted_keys).values(key_id=key_id, deleted_at=now))
    tx.mark(scope(key_id))


def was_deleted(connection: Connection, key_id: str) -> bool:
    """Whether a key of that id existed and was deleted."""
    return connection.execute(select(deleted_keys).where(deleted_keys.c.key_id == key_id)).first() is not None


def page(connection: Connection, account: str, region: str, after: str, limit: int) -> list[str]:
    """Up to `limit` key ids of an account and Region that sort after `after`."""
    statement = (
        select(keys.c.key_id)
        .where(keys.c.account == account, keys.c.region == region, keys.c.key_id > after)
        .order_by(keys.c.key_id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def count_customer_keys(connection: Connection, account: str, region: str) -> int:
    """How many keys of the account and Region count against its quota."""
    statement = select(func.count()).where(
        keys.c.account == account, keys.c.region == region, keys.c.manager == "CUSTOMER"
    )
    return connection.execute(statement).scalar_one()


def due(connection: Connection, now: float) -> list[KmsKey]:
    """Keys with a deletion or rotation that is due at `now`, whether or not their state lets it happen."""
    statement = select(keys).where(
        or_(
            keys.c.deletion_date <= now,
            (keys.c.state == KeyState.ENABLED) & (keys.c.next_rotation_at <= now),
            (keys.c.state == KeyState.ENABLED) & (keys.c.scheduled_rotation_at <= now),
        )
    )
    return [_key(row) for row in connection.execute(statement)]


def next_due(connection: Connection, until: float) -> float | None:
    """The earliest time up to `until` at which a deletion or rotation is due."""
    enabled = keys.c.state == KeyState.ENABLED
    times = [
        connection.execute(select(func.min(keys.c.deletion_date))).scalar(),
        connection.execute(select(func.min(keys.c.next_rotation_at)).where(enabled)).scalar(),
        connection.execute(select(func.min(keys.c.scheduled_rotation_at)).where(enabled)).scalar(),
    ]
    return min((when for when in times if when is not None and when <= until), default=None)
