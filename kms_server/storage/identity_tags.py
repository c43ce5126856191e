"""Tags of users, roles, managed policies and OpenID Connect providers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.identities import account_scope
from kms_server.storage.identity_tables import identity_tags


@dataclass(frozen=True, slots=True)
class Owner:
    """What has tags: a unique id, or the ARN of what has none.

    The keys of users' and roles' tags are the same in any case (`ignores_case`).
    """

    account: str
    name: str
    ignores_case: bool

    def key(self, tag_key: str) -> str:
        """By what a tag is told from the others."""
        return tag_key.lower() if self.ignores_case else tag_key


def of_owner(connection: Connection, name: str) -> dict[str, str]:
    """The tags of a unique id or an ARN, in the order in which they came."""
    statement = select(identity_tags.c.tag_key, identity_tags.c.tag_value).where(
        identity_tags.c.owner == name
    )
    rows = connection.execute(statement.order_by(identity_tags.c.position))
    return {row.tag_key: row.tag_value for row in rows}


def put(tx: Transaction, owner: Owner, tags: Mapping[str, str]) -> None:
    """Set tags; one that is there keeps its place and takes the new spelling of its key."""
    table = identity_tags
    last = tx.connection.execute(
        select(func.max(table.c.position)).where(table.c.owner == owner.name)
    ).scalar()
    place = 0 if last is None else last + 1
    for name, value in tags.items():
        here = (table.c.owner == owner.name) & (table.c.key_key == owner.key(name))
        changed = tx.connection.execute(update(table).where(here).values(tag_key=name, tag_value=value))
        if changed.rowcount == 0:
            row = {"owner": owner.name, "key_key": owner.key(name), "tag_key": name, "tag_value": value}
            tx.connection.execute(insert(table).values(position=place, **row))
            place += 1
    tx.mark(account_scope(owner.account))


def remove(tx: Transaction, owner: Owner, names: Iterable[str]) -> None:
    """Drop tags; absent ones are ignored."""
    keys = [owner.key(name) for name in names]
    tx.connection.execute(
        delete(identity_tags).where(identity_tags.c.owner == owner.name, identity_tags.c.key_key.in_(keys))
    )
    tx.mark(account_scope(owner.account))
