"""Which managed policies are attached to which users, roles and groups."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from kms_server.storage.database import Transaction
from kms_server.storage.identities import Identity, account_scope, of_rows
from kms_server.storage.identity_tables import (
    attachments,
    identities,
    managed_policies,
    managed_policy_versions,
)


@dataclass(frozen=True, slots=True)
class Attached:
    """A managed policy as it is attached: its default version counts."""

    arn: str
    name: str
    path: str
    document: str


def add(tx: Transaction, owner: Identity, arn: str) -> None:
    """Attach a policy that exists; one that is attached already stays."""
    dialect = sqlite if tx.connection.dialect.name == "sqlite" else postgresql
    row = {"unique_id": owner.unique_id, "policy_arn": arn}
    tx.connection.execute(dialect.insert(attachments).values(row).on_conflict_do_nothing())
    tx.mark(account_scope(owner.account))


def remove(tx: Transaction, owner: Identity, arn: str) -> bool:
    """Detach a policy; False when it was not attached."""
    removed = tx.connection.execute(
        delete(attachments).where(attachments.c.unique_id == owner.unique_id, attachments.c.policy_arn == arn)
    )
    tx.mark(account_scope(owner.account))
    return removed.rowcount > 0


def of_owner(connection: Connection, owner: Identity) -> list[Attached]:
    """What is attached to an identity, in the order of ARNs."""
    versions = managed_policy_versions
    statement = (
        select(managed_policies.c.arn, managed_policies.c.name, managed_policies.c.path, versions.c.document)
        .select_from(attachments)
        .join(managed_policies, managed_policies.c.arn == attachments.c.policy_arn)
        .join(versions, (versions.c.policy_arn == managed_policies.c.arn) & versions.c.is_default)
        .where(attachments.c.unique_id == owner.unique_id)
        .order_by(managed_policies.c.arn)
    )
    return [Attached(row.arn, row.name, row.path, row.document) for row in connection.execute(statement)]


def count(connection: Connection, owner: Identity) -> int:
    """How many policies are attached to an identity."""
    return connection.execute(
        select(func.count()).where(attachments.c.unique_id == owner.unique_id)
    ).scalar_one()


def holders(connection: Connection, account: str, arn: str) -> list[Identity]:
    """The identities of an account to which a policy is attached."""
    statement = (
        select(identities)
        .join(attachments, attachments.c.unique_id == identities.c.unique_id)
        .where(attachments.c.policy_arn == arn, identities.c.account == account)
    )
    return of_rows(connection.execute(statement.order_by(identities.c.kind, identities.c.name)).all())


def bounded(connection: Connection, account: str, arn: str) -> list[Identity]:
    """The identities of an account that have a policy as their permissions boundary."""
    statement = select(identities).where(identities.c.boundary == arn, identities.c.account == account)
    return of_rows(connection.execute(statement.order_by(identities.c.kind, identities.c.name)).all())
