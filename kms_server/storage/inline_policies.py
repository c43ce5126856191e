"""Policies that belong to one user, role or group."""

from sqlalchemy import Connection, delete, func, insert, select

from kms_server.storage.database import Transaction
from kms_server.storage.identities import Identity, account_scope
from kms_server.storage.identity_tables import inline_policies


def put(tx: Transaction, owner: Identity, name: str, document: str) -> None:
    """Set or replace the policy of that name."""
    _delete(tx, owner, name)
    tx.connection.execute(
        insert(inline_policies).values(unique_id=owner.unique_id, name=name, document=document)
    )
    tx.mark(account_scope(owner.account))


def remove(tx: Transaction, owner: Identity, name: str) -> bool:
    """Delete the policy of that name; False when there was none."""
    removed = _delete(tx, owner, name)
    tx.mark(account_scope(owner.account))
    return removed > 0


def get(connection: Connection, owner: Identity, name: str) -> str | None:
    """The document of the policy of that name, or None."""
    statement = select(inline_policies.c.document).where(
        inline_policies.c.unique_id == owner.unique_id, inline_policies.c.name == name
    )
    return connection.execute(statement).scalar()


def of_owner(connection: Connection, owner: Identity) -> dict[str, str]:
    """The documents of all policies by name, in the order of names."""
    statement = select(inline_policies.c.name, inline_policies.c.document).where(
        inline_policies.c.unique_id == owner.unique_id
    )
    rows = connection.execute(statement.order_by(inline_policies.c.name))
    return {row.name: row.document for row in rows}


def count(connection: Connection, owner: Identity) -> int:
    """How many policies an owner has."""
    return connection.execute(
        select(func.count()).where(inline_policies.c.unique_id == owner.unique_id)
    ).scalar_one()


def _delete(tx: Transaction, owner: Identity, name: str) -> int:
    return tx.connection.execute(
        delete(inline_policies).where(
            inline_policies.c.unique_id == owner.unique_id, inline_policies.c.name == name
        )
    ).rowcount
