"""KMS keys and their backing keys."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    TextClause,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    true,
    update,
)

from kms_server.keys.key import CURRENT, NON_CURRENT, BackingKey, KmsKey
from kms_server.keys.states import KeyState
from kms_server.storage import aliases, grants, settings
from kms_server.storage.database import Transaction
from kms_server.storage.distinct import distinct
from kms_server.storage.scopes import key_scope
from kms_server.storage.tables import ROTATES, backing_keys, key_counts, key_ids, keys

_NOT_OF_VERSIONS = frozenset({"key_id", "region", "root_prefix", "fingerprint_root_prefix"})
_KEY_COLUMNS = [column for column in keys.c if column.name != "last_use"]
_VERSION_COLUMNS = [column for column in backing_keys.c if column.name not in _NOT_OF_VERSIONS]
# Made once: a key that no cache has is loaded by these, and making one takes longer than its answer.
_ONE = select(*_KEY_COLUMNS).where(keys.c.key_id == bindparam("key_id"), keys.c.region == bindparam("region"))
_VERSIONS = (
    select(*_VERSION_COLUMNS)
    .where(backing_keys.c.key_id == bindparam("key_id"), backing_keys.c.region == bindparam("region"))
    .order_by(backing_keys.c.number)
)
# What falls due, and of which keys. A bound on the date lets the partial indexes answer, which have the same conditions.
_DATES: tuple[tuple[Column[Any], ColumnElement[bool] | TextClause], ...] = (
    (keys.c.deletion_date, true()),
    (keys.c.next_rotation_at, ROTATES),
    (keys.c.scheduled_rotation_at, ROTATES),
    (backing_keys.c.valid_to, true()),
)


def _key(row: Row[tuple[object, ...]]) -> KmsKey:
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    return KmsKey(**fields | {"state": KeyState(fields["state"])})


def _is(key: KmsKey) -> ColumnElement[bool]:
    return and_(keys.c.key_id == key.key_id, keys.c.region == key.region)


def _of(key: KmsKey) -> ColumnElement[bool]:
    return and_(backing_keys.c.key_id == key.key_id, backing_keys.c.region == key.region)


def get(connection: Connection, key_id: str, region: str) -> KmsKey | None:
    """The key with that id in a Region, of whatever account, or None."""
    row = connection.execute(_ONE, {"key_id": key_id, "region": region}).one_or_none()
    return _key(row) if row else None


def members(connection: Connection, key_id: str) -> list[KmsKey]:
    """The keys of that id in all Regions, in the order of their Regions: several for a multi-Region key."""
    statement = select(*_KEY_COLUMNS).where(keys.c.key_id == key_id).order_by(keys.c.region)
    return [_key(row) for row in connection.execute(statement)]


def regions(connection: Connection, key_id: str) -> Sequence[str]:
    """The Regions in which there is a key of that id."""
    statement = select(keys.c.region).where(keys.c.key_id == key_id).order_by(keys.c.region)
    return connection.execute(statement).scalars().all()


def regions_of_account(connection: Connection, account: str) -> Iterator[str]:
    """The Regions in which an account has keys."""
    return distinct(connection, keys.c.region, keys.c.account == account)


def get_backing_keys(connection: Connection, key: KmsKey) -> list[BackingKey]:
    """All versions of a key's material, oldest first."""
    rows = connection.execute(_VERSIONS, {"key_id": key.key_id, "region": key.region})
    return [BackingKey(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def all_have(connection: Connection, key_id: str, material_id: str) -> bool:
    """Whether a version has its material in every Region of its key."""
    missing = select(backing_keys.c.region).where(
        backing_keys.c.key_id == key_id,
        backing_keys.c.material_id == material_id,
        backing_keys.c.wrapped.is_(None),
    )
    return connection.execute(missing).first() is None


def add(tx: Transaction, key: KmsKey, versions: Sequence[BackingKey]) -> None:
    """Store a new key with the material it has; a replica joins the id of its primary."""
    if not key.is_replica:
        tx.connection.execute(insert(key_ids).values(key_id=key.key_id, account=key.account))
    values = {column.name: getattr(key, column.name) for column in _KEY_COLUMNS}
    tx.connection.execute(insert(keys).values(**values))
    for version in versions:
        add_backing_key(tx, key, version)
    _change_count(tx, key, by=1)
    mark_members(tx, key)


def add_backing_key(tx: Transaction, key: KmsKey, version: BackingKey) -> None:
    """Add a version; one that is current replaces the former, which still decrypts."""
    if version.status == CURRENT:
        _retire_current(tx, key)
    values = {column.name: getattr(version, column.name) for column in _VERSION_COLUMNS}
    tx.connection.execute(insert(backing_keys).values(key_id=key.key_id, region=key.region, **values))
    tx.mark(key_scope(key.key_id, key.region))


def promote(tx: Transaction, key: KmsKey, material_id: str, when: float, rotation_type: str) -> None:
    """Make a version that awaits its rotation the current one."""
    _retire_current(tx, key)
    change_backing_key(tx, key, material_id, status=CURRENT, rotated_at=when, rotation_type=rotation_type)


def _retire_current(tx: Transaction, key: KmsKey) -> None:
    former = update(backing_keys).where(_of(key), backing_keys.c.status == CURRENT)
    tx.connection.execute(former.values(status=NON_CURRENT))


def change_backing_key(tx: Transaction, key: KmsKey, material_id: str, **fields: object) -> None:
    """Set columns of one version."""
    statement = update(backing_keys).where(_of(key), backing_keys.c.material_id == material_id)
    tx.connection.execute(statement.values(**fields))
    tx.mark(key_scope(key.key_id, key.region))


def empty_backing_key(tx: Transaction, key: KmsKey, material_id: str) -> None:
    """Destroy the material of a version; the version stays, to be filled again."""
    change_backing_key(tx, key, material_id, wrapped=None, valid_to=None)
    settings.put(tx, settings.UNERASED, str(tx.stamp))


def drop_backing_key(tx: Transaction, key: KmsKey, material_id: str) -> None:
    """Forget a version that was never in use."""
    tx.connection.execute(delete(backing_keys).where(_of(key), backing_keys.c.material_id == material_id))
    tx.mark(key_scope(key.key_id, key.region))
    settings.put(tx, settings.UNERASED, str(tx.stamp))


def change(tx: Transaction, key: KmsKey, **fields: object) -> None:
    """Set columns of a key."""
    tx.connection.execute(update(keys).where(_is(key)).values(**fields))
    tx.mark(key_scope(key.key_id, key.region))


def change_members(tx: Transaction, key: KmsKey, **fields: object) -> None:
    """Set columns that all members of a multi-Region key share; of any other key, its own."""
    tx.connection.execute(update(keys).where(keys.c.key_id == key.key_id).values(**fields))
    mark_members(tx, key)


def mark_members(tx: Transaction, key: KmsKey) -> None:
    """Tell that all members of a key changed: each shows the others."""
    for region in regions(tx.connection, key.key_id):
        tx.mark(key_scope(key.key_id, region))


def remove(tx: Transaction, key: KmsKey, now: float) -> None:
    """Delete a key with its material, aliases, tags and grants; its id stays known and is never used again."""
    for alias in aliases.of_key(tx.connection, key.key_id, key.region):
        tx.mark(aliases.scope(alias.account, alias.region, alias.name))
    grants.mark_of_key(tx, key)
    mark_members(tx, key)
    tx.connection.execute(delete(keys).where(_is(key)))
    _change_count(tx, key, by=-1)
    settings.put(tx, settings.UNERASED, str(tx.stamp))
    if not regions(tx.connection, key.key_id):
        gone = update(key_ids).where(key_ids.c.key_id == key.key_id)
        tx.connection.execute(gone.values(deleted_at=now))


def id_was_used(connection: Connection, key_id: str) -> bool:
    """Whether a key of that id exists anywhere, or was deleted."""
    return connection.execute(select(key_ids).where(key_ids.c.key_id == key_id)).first() is not None


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
    counted = select(key_counts.c["keys"]).where(*_counted(account, region))
    return connection.execute(counted).scalar() or 0


def _change_count(tx: Transaction, key: KmsKey, *, by: int) -> None:
    if key.manager != "CUSTOMER":
        return
    column = key_counts.c["keys"]
    # A server of before there were counts may have added the key: it must go all the same.
    counted = case((column + by < 0, 0), else_=column + by)
    changed = update(key_counts).where(*_counted(key.account, key.region)).values({column: counted})
    if tx.connection.execute(changed).rowcount == 0:
        first = {"account": key.account, "region": key.region, "keys": max(by, 0)}
        tx.connection.execute(insert(key_counts).values(first))


def _counted(account: str, region: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return key_counts.c.account == account, key_counts.c.region == region


def due(connection: Connection, now: float) -> list[tuple[str, str]]:
    """Id and Region of keys with something due at `now`: deletion, rotation, or material that expires."""
    found: set[tuple[str, str]] = set()
    # In one statement SQLite would go through all keys.
    for date, condition in _DATES:
        table = date.table
        statement = select(table.c.key_id, table.c.region).where(date <= now, condition)
        found.update((row.key_id, row.region) for row in connection.execute(statement))
    return sorted(found)


def next_due(connection: Connection, until: float) -> float | None:
    """The earliest time up to `until` at which something is due."""
    earliest = [
        connection.execute(select(func.min(date)).where(date <= until, condition)).scalar()
        for date, condition in _DATES
    ]
    return min((when for when in earliest if when is not None), default=None)
