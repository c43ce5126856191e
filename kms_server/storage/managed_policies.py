"""Managed policies with their versions. AWS's own belong to no account and never change."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, false, func, insert, or_, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.identities import account_scope, below
from kms_server.storage.identity_tables import (
    attachments,
    identities,
    identity_tags,
    managed_policies,
    managed_policy_versions,
)


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A managed policy; `account` is None for AWS's own. `default_version` is a version's number."""

    arn: str
    account: str | None
    name: str
    path: str
    policy_id: str
    description: str | None
    created_at: float
    updated_at: float
    versions_made: int = 1
    default_version: int = 1


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a managed policy."""

    number: int
    document: str
    is_default: bool
    created_at: float


def add(tx: Transaction, policy: ManagedPolicy, document: str) -> None:
    """Store a new policy with its first version."""
    tx.connection.execute(
        insert(managed_policies).values(
            arn=policy.arn, account=policy.account, name=policy.name, name_key=policy.name.lower(),
            path=policy.path, policy_id=policy.policy_id, description=policy.description, versions_made=1,
            created_at=policy.created_at, updated_at=policy.updated_at,
        )
    )  # fmt: skip
    _add_version(tx, policy, PolicyVersion(1, document, is_default=True, created_at=policy.created_at))
    _mark(tx, policy)


def remove(tx: Transaction, policy: ManagedPolicy) -> None:
    """Delete a policy that is attached to nobody, with its versions and tags."""
    tx.connection.execute(delete(identity_tags).where(identity_tags.c.owner == policy.arn))
    tx.connection.execute(delete(managed_policies).where(managed_policies.c.arn == policy.arn))
    _mark(tx, policy)


def get(connection: Connection, arn: str) -> ManagedPolicy | None:
    """The policy of that ARN, AWS's or an account's own, or None."""
    row = connection.execute(_SELECT.where(managed_policies.c.arn == arn)).one_or_none()
    return of_row(row) if row else None


def name_is_taken(connection: Connection, account: str, name: str) -> bool:
    """Whether an account has a policy of that name in any case."""
    statement = select(managed_policies.c.arn).where(
        managed_policies.c.account == account, managed_policies.c.name_key == name.lower()
    )
    return connection.execute(statement).scalar() is not None


def of_account(
    connection: Connection, account: str, path_prefix: str, *, own: bool = True, of_aws: bool = True
) -> list[ManagedPolicy]:
    """The policies below a path that an account can use: its own, AWS's, or both."""
    which = [managed_policies.c.account == account] * own + [managed_policies.c.account.is_(None)] * of_aws
    statement = _SELECT.where(or_(false(), *which), below(managed_policies.c.path, path_prefix))
    return [of_row(row) for row in connection.execute(statement)]


def count(connection: Connection, account: str) -> int:
    """How many policies an account has of its own."""
    return connection.execute(select(func.count()).where(managed_policies.c.account == account)).scalar_one()


def uses(connection: Connection, account: str, arn: str | None = None) -> dict[str, tuple[int, int]]:
    """To how many identities of an account each policy is attached, and of how many it is the boundary.

    Only those that are used at all are there, or only that of `arn`.
    """
    attached = (
        select(attachments.c.policy_arn, func.count())
        .select_from(attachments.join(identities))
        .where(identities.c.account == account)
        .group_by(attachments.c.policy_arn)
    )
    bounding = (
        select(identities.c.boundary, func.count())
        .where(identities.c.account == account, identities.c.boundary.is_not(None))
        .group_by(identities.c.boundary)
    )
    if arn is not None:
        attached = attached.where(attachments.c.policy_arn == arn)
        bounding = bounding.where(identities.c.boundary == arn)
    by_attachment = {row[0]: row[1] for row in connection.execute(attached)}
    by_boundary = {row[0]: row[1] for row in connection.execute(bounding)}
    return {
        name: (by_attachment.get(name, 0), by_boundary.get(name, 0))
        for name in by_attachment.keys() | by_boundary.keys()
    }


def versions(connection: Connection, policy: ManagedPolicy) -> list[PolicyVersion]:
    """All versions, the newest first."""
    table = managed_policy_versions
    statement = select(table).where(table.c.policy_arn == policy.arn).order_by(table.c.number.desc())
    return [
        PolicyVersion(row.number, row.document, row.is_default, row.created_at)
        for row in connection.execute(statement)
    ]


def document(connection: Connection, arn: str) -> str | None:
    """The document of a policy's default version, or None when there is no such policy."""
    table = managed_policy_versions
    statement = select(table.c.document).where(table.c.policy_arn == arn, table.c.is_default)
    return connection.execute(statement).scalar()


def add_version(
    tx: Transaction, policy: ManagedPolicy, text: str, now: float, *, is_default: bool
) -> PolicyVersion:
    """Store the next version of a policy."""
    version = PolicyVersion(policy.versions_made + 1, text, is_default=False, created_at=now)
    _add_version(tx, policy, version)
    _touch(tx, policy, now, versions_made=version.number)
    if is_default:
        set_default(tx, policy, version.number, now)
    return PolicyVersion(version.number, text, is_default, now)


def set_default(tx: Transaction, policy: ManagedPolicy, number: int, now: float) -> None:
    """Let another version be the one that counts."""
    table = managed_policy_versions
    for is_default, which in ((False, table.c.is_default), (True, table.c.number == number)):
        tx.connection.execute(
            update(table).where(table.c.policy_arn == policy.arn, which).values(is_default=is_default)
        )
    _touch(tx, policy, now)


def remove_version(tx: Transaction, policy: ManagedPolicy, number: int, now: float) -> None:
    """Delete a version that is not the default."""
    table = managed_policy_versions
    tx.connection.execute(
        delete(table).where(table.c.policy_arn == policy.arn, table.c.number == number, ~table.c.is_default)
    )
    _touch(tx, policy, now)


_SELECT = select(managed_policies, managed_policy_versions.c.number.label("default_version")).join_from(
    managed_policies,
    managed_policy_versions,
    (managed_policy_versions.c.policy_arn == managed_policies.c.arn) & managed_policy_versions.c.is_default,
)


def of_row(row: Row[Any]) -> ManagedPolicy:
    """The policy of a row that has all columns and its default version."""
    return ManagedPolicy(
        row.arn, row.account, row.name, row.path, row.policy_id, row.description, row.created_at, row.updated_at,
        row.versions_made, row.default_version,
    )  # fmt: skip


def _touch(tx: Transaction, policy: ManagedPolicy, now: float, **values: Any) -> None:  # noqa: ANN401 - columns
    tx.connection.execute(
        update(managed_policies).where(managed_policies.c.arn == policy.arn).values(updated_at=now, **values)
    )
    _mark(tx, policy)


def _add_version(tx: Transaction, policy: ManagedPolicy, version: PolicyVersion) -> None:
    tx.connection.execute(
        insert(managed_policy_versions).values(
            policy_arn=policy.arn, number=version.number, document=version.document,
            is_default=version.is_default, created_at=version.created_at,
        )
    )  # fmt: skip


def _mark(tx: Transaction, policy: ManagedPolicy) -> None:
    if policy.account is not None:
        tx.mark(account_scope(policy.account))
