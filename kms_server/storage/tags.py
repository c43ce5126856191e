"""Tags of KMS keys."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, insert, select

from kms_server.storage import keys
from kms_server.storage.database import Transaction
from kms_server.storage.tables import tags


def of_key(connection: Connection, key_id: str) -> dict[str, str]:
    """The tags of a key in the order of their keys."""
    rows = connection.execute(
        select(tags.c.tag_key, tags.c.tag_value).where(tags.c.key_id == key_id).order_by(tags.c.tag_key)
    )
    return {row.tag_key: row.tag_value for row in rows}


def put(tx: Transaction, key_id: str, values: Mapping[str, str]) -> None:
    """Set tags, replacing those of the same key."""
    remove(tx, key_id, values)
    if values:
        tx.connection.execute(
            insert(tags),
            [{"key_id": key_id, "tag_key": name, "tag_value": value} for name, value in values.items()],
        )


def remove(tx: Transaction, key_id: str, names: Iterable[str]) -> None:
    """Drop tags; absent ones are ignored."""
    tx.connection.execute(delete(tags).where(tags.c.key_id == key_id, tags.c.tag_key.in_(list(names))))
    tx.mark(keys.scope(key_id))
