"""Accounts, users and access keys. Secrets come wrapped and stay wrapped here."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from kms_server.storage.database import Transaction
from kms_server.storage.tables import access_keys, accounts, users


@dataclass(frozen=True, slots=True)
class User:
    """An IAM user; `policies` maps a policy's name to its document."""

    account: str
    name: str
    unique_id: str
    policies: dict[str, str]
    created_at: float


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key; `user_name` is None for the account's root."""

    access_key_id: str
    account: str
    user_name: str | None
    wrapped_secret: bytes
    created_at: float


def scope(access_key_id: str) -> str:
    """The change scope of an access key and the user behind it."""
    return f"access:{access_key_id}"


def add_account(tx: Transaction, account: str) -> None:
    """Make sure that an account exists."""
    dialect = sqlite if tx.connection.dialect.name == "sqlite" else postgresql
    tx.connection.execute(dialect.insert(accounts).values(account=account).on_conflict_do_nothing())


def add_user(tx: Transaction, user: User) -> None:
    """Store a new user."""
    tx.connection.execute(
        insert(users).values(
            account=user.account, name=user.name, unique_id=user.unique_id,
            policies=json.dumps(user.policies), created_at=user.created_at,
        )
    )  # fmt: skip


def get_user(connection: Connection, account: str, name: str) -> User | None:
    """The user of that name in an account, or None."""
    row = connection.execute(
        select(users).where(users.c.account == account, users.c.name == name)
    ).one_or_none()
    return (
        User(row.account, row.name, row.unique_id, json.loads(row.policies), row.created_at) if row else None
    )


def all_users(connection: Connection, account: str | None) -> list[User]:
    """The users of one account, or of all."""
    statement = select(users).order_by(users.c.account, users.c.name)
    if account is not None:
        statement = statement.where(users.c.account == account)
    return [
        User(row.account, row.name, row.unique_id, json.loads(row.policies), row.created_at)
        for row in connection.execute(statement)
    ]


def add_access_key(tx: Transaction, key: AccessKey) -> None:
    """Store a new access key."""
    tx.connection.execute(
        insert(access_keys).values(
            access_key_id=key.access_key_id, account=key.account, user_name=key.user_name,
            wrapped_secret=key.wrapped_secret, created_at=key.created_at,
        )
    )  # fmt: skip
    tx.mark(scope(key.access_key_id))


def get_access_key(connection: Connection, access_key_id: str) -> AccessKey | None:
    """The access key of that id, or None."""
    row = connection.execute(
        select(access_keys).where(access_keys.c.access_key_id == access_key_id)
    ).one_or_none()
    return AccessKey(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name


def all_access_keys(connection: Connection, account: str | None) -> list[AccessKey]:
    """The access keys of one account, or of all."""
    statement = select(access_keys).order_by(access_keys.c.account, access_keys.c.access_key_id)
    if account is not None:
        statement = statement.where(access_keys.c.account == account)
    return [AccessKey(**row._mapping) for row in connection.execute(statement)]  # noqa: SLF001 - SQLAlchemy's public name


def remove_access_key(tx: Transaction, access_key_id: str) -> bool:
    """Delete an access key; False when there was none."""
    removed = tx.connection.execute(delete(access_keys).where(access_keys.c.access_key_id == access_key_id))
    tx.mark(scope(access_key_id))
    return removed.rowcount > 0
