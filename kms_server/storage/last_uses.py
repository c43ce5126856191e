"""The last uses of keys and access keys whose records were pruned; what the log still has is newer, or not here.

A use is a JSON list that begins with its event id, so uses sort by time.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, bindparam, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.identity_tables import access_keys
from kms_server.storage.tables import keys


class Use(NamedTuple):
    """A recorded use; `time` is in epoch seconds, `service` is the source of the event, such as kms.amazonaws.com."""

    event_id: str
    time: float
    operation: str
    service: str
    region: str
    request_id: str | None


class KeyUse(NamedTuple):
    """A use of a KMS key."""

    account: str
    region: str
    key_id: str
    use: Use


class AccessKeyUse(NamedTuple):
    """A use of an access key."""

    account: str
    access_key_id: str
    use: Use


def of_key(connection: Connection, key_id: str, region: str) -> Use | None:
    """The newest use of a KMS key that was folded."""
    return _read(connection, keys.c.last_use, (keys.c.key_id == key_id) & (keys.c.region == region))


def of_access_key(connection: Connection, access_key_id: str) -> Use | None:
    """The newest use of an access key that was folded."""
    return _read(connection, access_keys.c.last_use, access_keys.c.access_key_id == access_key_id)


def fold_keys(tx: Transaction, uses: Sequence[KeyUse]) -> None:
    """Keep uses of KMS keys that are newer than those that are kept; caches hold none of it."""
    columns = keys.c
    mine = (columns.key_id == bindparam("of_key_id")) & (columns.region == bindparam("of_region"))
    fold = update(keys).where(mine, columns.account == bindparam("of_account"), _is_older(columns.last_use))
    rows = [
        {"of_key_id": one.key_id, "of_region": one.region, "of_account": one.account, "use": _text(one.use)}
        for one in uses
    ]
    tx.connection.execute(fold.values(last_use=bindparam("use")), rows)


def fold_access_keys(tx: Transaction, uses: Sequence[AccessKeyUse]) -> None:
    """Keep uses of access keys that are newer than those that are kept; caches hold none of it."""
    columns = access_keys.c
    mine = (columns.access_key_id == bindparam("of_id")) & (columns.account == bindparam("of_account"))
    fold = update(access_keys).where(mine, _is_older(columns.last_use))
    rows = [{"of_id": one.access_key_id, "of_account": one.account, "use": _text(one.use)} for one in uses]
    tx.connection.execute(fold.values(last_use=bindparam("use")), rows)


def _is_older(column: "Column[str | None]") -> ColumnElement[bool]:
    return column.is_(None) | (column < bindparam("use"))


def _read(connection: Connection, column: "Column[str | None]", condition: ColumnElement[bool]) -> Use | None:
    kept = connection.execute(select(column).where(condition)).scalar()
    return None if kept is None else Use(*json.loads(kept))


def _text(use: Use) -> str:
    return json.dumps(use)
