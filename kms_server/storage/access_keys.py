"""Access keys of users and of accounts' roots. Secrets come wrapped and stay wrapped here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.identities import access_scope
from kms_server.storage.identity_tables import access_keys, identities

ACTIVE, INACTIVE = "Active", "Inactive"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key; `user_id` and `user_name` are None for the account's root.

    The wrapped secret is bound to the name that the user has.
    """

    access_key_id: str
    account: str
    user_id: str | None
    user_name: str | None
    wrapped_secret: bytes
    created_at: float
    status: str = ACTIVE


def add(tx: Transaction, key: AccessKey) -> None:
    """Store a new access key."""
    tx.connection.execute(
        insert(access_keys).values(
            access_key_id=key.access_key_id, account=key.account, user_id=key.user_id,
            wrapped_secret=key.wrapped_secret, status=key.status, created_at=key.created_at,
        )
    )  # fmt: skip
    _mark(tx, key)


def get(connection: Connection, access_key_id: str) -> AccessKey | None:
    """The access key of that id, or None."""
    found = _read(connection, _SELECT.where(access_keys.c.access_key_id == access_key_id))
    return found[0] if found else None


def of_owner(connection: Connection, account: str, user_id: str | None) -> list[AccessKey]:
    """The access keys of a user, or of an account's root, oldest first."""
    statement = _SELECT.where(
        access_keys.c.account == account, access_keys.c.user_id.is_not_distinct_from(user_id)
    )
    return _read(connection, statement.order_by(access_keys.c.created_at, access_keys.c.access_key_id))


def of_accounts(connection: Connection, account: str | None) -> list[AccessKey]:
    """The access keys of one account, or of all."""
    statement = _SELECT if account is None else _SELECT.where(access_keys.c.account == account)
    return _read(connection, statement.order_by(access_keys.c.account, access_keys.c.access_key_id))


def count(connection: Connection, account: str, user_id: str | None) -> int:
    """How many access keys a user or an account's root has."""
    statement = select(func.count()).where(
        access_keys.c.account == account, access_keys.c.user_id.is_not_distinct_from(user_id)
    )
    return connection.execute(statement).scalar_one()


def set_status(tx: Transaction, key: AccessKey, status: str) -> None:
    """Let an access key be used, or no longer."""
    _update(tx, key, status=status)


def set_secret(tx: Transaction, key: AccessKey, wrapped_secret: bytes) -> None:
    """Replace the wrapped secret, which is bound to something new."""
    _update(tx, key, wrapped_secret=wrapped_secret)


def remove(tx: Transaction, key: AccessKey) -> None:
    """Delete an access key."""
    tx.connection.execute(delete(access_keys).where(access_keys.c.access_key_id == key.access_key_id))
    _mark(tx, key)


def _update(tx: Transaction, key: AccessKey, **values: Any) -> None:  # noqa: ANN401 - columns have many types
    tx.connection.execute(
        update(access_keys).where(access_keys.c.access_key_id == key.access_key_id).values(**values)
    )
    _mark(tx, key)


def _mark(tx: Transaction, key: AccessKey) -> None:
    tx.mark(access_scope(key.access_key_id))


_SELECT: Select[Any] = select(access_keys, identities.c.name.label("user_name")).join_from(
    access_keys, identities, access_keys.c.user_id == identities.c.unique_id, isouter=True
)


def _read(connection: Connection, statement: Select[Any]) -> list[AccessKey]:
    rows: Sequence[Row[Any]] = connection.execute(statement).all()
    return [
        AccessKey(
            row.access_key_id,
            row.account,
            row.user_id,
            row.user_name,
            row.wrapped_secret,
            row.created_at,
            row.status,
        )
        for row in rows
    ]
