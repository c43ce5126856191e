"""Tags of KMS keys."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select

from kms_server.keys.key import KmsKey
from kms_server.storage.database import Transaction
from kms_server.storage.scopes import key_scope
from kms_server.storage.tables import tags

_OF_KEY = (
    select(tags.c.tag_key, tags.c.tag_value)
    .where(tags.c.key_id == bindparam("key_id"), tags.c.region == bindparam("region"))
    .order_by(tags.c.tag_key)
)


def of_key(connection: Connection, key: KmsKey) -> dict[str, str]:
    """The tags of a key in the order of their keys."""
    rows = connection.execute(_OF_KEY, {"key_id": key.key_id, "region": key.region})
    return {row.tag_key: row.tag_value for row in rows}


def put(tx: Transaction, key: KmsKey, values: Mapping[str, str]) -> None:
    """Set tags, replacing those of the same key."""
    remove(tx, key, values)
    place = {"key_id": key.key_id, "region": key.region}
    rows = [place | {"tag_key": name, "tag_value": value} for name, value in values.items()]
    if rows:
        tx.connection.execute(insert(tags), rows)


def remove(tx: Transaction, key: KmsKey, names: Iterable[str]) -> None:
    """Drop tags; absent ones are ignored."""
    tx.connection.execute(
        delete(tags).where(
            tags.c.key_id == key.key_id, tags.c.region == key.region, tags.c.tag_key.in_(list(names))
        )
    )
    tx.mark(key_scope(key.key_id, key.region))
