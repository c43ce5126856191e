"""Aliases: the names people give to keys."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from kms_server.arn import alias_arn
from kms_server.storage.database import Transaction
from kms_server.storage.distinct import distinct
from kms_server.storage.scopes import key_scope
from kms_server.storage.tables import aliases

_OF_KEY = (
    select(aliases)
    .where(aliases.c.key_id == bindparam("key_id"), aliases.c.region == bindparam("region"))
    .order_by(aliases.c.name)
)


@dataclass(frozen=True, slots=True)
class Alias:
    """One alias; `name` includes the prefix `alias/`."""

    account: str
    region: str
    name: str
    key_id: str
    created_at: float
    updated_at: float

    @property
    def arn(self) -> str:
        """The alias ARN."""
        return alias_arn(self.region, self.account, self.name)


def scope(account: str, region: str, name: str) -> str:
    """The change scope of one alias."""
    return f"alias:{account}:{region}:{name}"


def get(connection: Connection, account: str, region: str, name: str) -> Alias | None:
    """The alias of that name, or None."""
    row = connection.execute(
        select(aliases).where(
            aliases.c.account == account, aliases.c.region == region, aliases.c.name == name
        )
    ).one_or_none()
    return Alias(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name


def add(tx: Transaction, alias: Alias) -> None:
    """Store a new alias."""
    tx.connection.execute(
        insert(aliases).values(
            account=alias.account, region=alias.region, name=alias.name, key_id=alias.key_id,
            created_at=alias.created_at, updated_at=alias.updated_at,
        )
    )  # fmt: skip
    _mark(tx, alias, alias.key_id)


def point(tx: Transaction, alias: Alias, key_id: str, now: float) -> None:
    """Let an existing alias name another key."""
    tx.connection.execute(
        update(aliases)
        .where(
            aliases.c.account == alias.account, aliases.c.region == alias.region, aliases.c.name == alias.name
        )
        .values(key_id=key_id, updated_at=now)
    )
    _mark(tx, alias, alias.key_id, key_id)


def remove(tx: Transaction, alias: Alias) -> None:
    """Delete an alias."""
    tx.connection.execute(
        delete(aliases).where(
            aliases.c.account == alias.account, aliases.c.region == alias.region, aliases.c.name == alias.name
        )
    )
    _mark(tx, alias, alias.key_id)


def _mark(tx: Transaction, alias: Alias, *key_ids: str) -> None:
    """A key has its aliases at hand, so that it changes with them."""
    tx.mark(scope(alias.account, alias.region, alias.name))
    for key_id in key_ids:
        tx.mark(key_scope(key_id, alias.region))


def page(connection: Connection, account: str, region: str, after: str, limit: int) -> list[Alias]:
    """Up to `limit` aliases of an account and Region that sort after `after`."""
    return _page(connection, (aliases.c.account == account) & (aliases.c.region == region), after, limit)


def page_of_key(connection: Connection, key_id: str, region: str, after: str, limit: int) -> list[Alias]:
    """Up to `limit` aliases of a key that sort after `after`.

    Nothing is said of their account, which is the key's: by it SQLite would go through all aliases of the account.
    """
    return _page(connection, (aliases.c.key_id == key_id) & (aliases.c.region == region), after, limit)


def _page(connection: Connection, condition: ColumnElement[bool], after: str, limit: int) -> list[Alias]:
    statement = select(aliases).where(condition, aliases.c.name > after).order_by(aliases.c.name).limit(limit)
    return [Alias(**row._mapping) for row in connection.execute(statement)]  # noqa: SLF001 - SQLAlchemy's public name


def regions(connection: Connection, account: str, name: str) -> list[str]:
    """The Regions in which an account has an alias of that name."""
    everywhere = distinct(connection, aliases.c.region, aliases.c.account == account)
    return [region for region in everywhere if get(connection, account, region, name) is not None]


def count_of_key(connection: Connection, key_id: str, region: str) -> int:
    """How many aliases a key has."""
    statement = select(func.count()).where(aliases.c.key_id == key_id, aliases.c.region == region)
    return connection.execute(statement).scalar_one()


def of_key(connection: Connection, key_id: str, region: str) -> list[Alias]:
    """All aliases of a key, in the order of their names."""
    rows = connection.execute(_OF_KEY, {"key_id": key_id, "region": region})
    return [Alias(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
