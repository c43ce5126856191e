"""Which users are in which groups."""

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from kms_server.storage.database import Transaction
from kms_server.storage.identities import Identity, account_scope, of_rows
from kms_server.storage.identity_tables import identities, memberships


def add(tx: Transaction, user: Identity, group: Identity) -> None:
    """Put a user into a group of the same account; one that is there already stays."""
    dialect = sqlite if tx.connection.dialect.name == "sqlite" else postgresql
    row = {"user_id": user.unique_id, "group_id": group.unique_id}
    tx.connection.execute(dialect.insert(memberships).values(row).on_conflict_do_nothing())
    tx.mark(account_scope(user.account))


def remove(tx: Transaction, user: Identity, group: Identity) -> bool:
    """Take a user out of a group; False when it was not in it."""
    removed = tx.connection.execute(
        delete(memberships).where(
            memberships.c.user_id == user.unique_id, memberships.c.group_id == group.unique_id
        )
    )
    tx.mark(account_scope(user.account))
    return removed.rowcount > 0


def count_of_user(connection: Connection, user: Identity) -> int:
    """How many groups a user is in."""
    return connection.execute(
        select(func.count()).where(memberships.c.user_id == user.unique_id)
    ).scalar_one()


def groups_of(
    connection: Connection, user: Identity, after: str = "", limit: int | None = None
) -> list[Identity]:
    """Up to `limit` groups of a user, in the order of their names, that sort after `after`."""
    statement = (
        select(identities)
        .join(memberships, memberships.c.group_id == identities.c.unique_id)
        .where(memberships.c.user_id == user.unique_id, identities.c.name > after)
    )
    return of_rows(connection.execute(statement.order_by(identities.c.name).limit(limit)).all())


def members_of(
    connection: Connection, group: Identity, after: str = "", limit: int | None = None
) -> list[Identity]:
    """Up to `limit` users of a group, in the order of their names, that sort after `after`."""
    statement = (
        select(identities)
        .join(memberships, memberships.c.user_id == identities.c.unique_id)
        .where(memberships.c.group_id == group.unique_id, identities.c.name > after)
    )
    return of_rows(connection.execute(statement.order_by(identities.c.name).limit(limit)).all())
