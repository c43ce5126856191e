"""Accounts and who is in them: users, roles and groups.

Every change of an account's identities, their policies, tags and memberships marks the account's scope.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kms_server.arn import Arn, iam_arn, session_arn
from kms_server.storage.database import Transaction
from kms_server.storage.identity_tables import access_keys, accounts, identities, identity_tags


class Kind(StrEnum):
    """What an identity is; the value is also the first word of its ARN's resource."""

    USER = "user"
    ROLE = "role"
    GROUP = "group"


_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PREFIXES = {Kind.USER: "AIDA", Kind.ROLE: "AROA", Kind.GROUP: "AGPA"}


def random_id(prefix: str, length: int) -> str:
    """A new id of AWS's form: a prefix that tells the kind, and `length` random characters."""
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(length))


def new_unique_id(kind: Kind) -> str:
    """The unique id of a new identity, such as `AIDA…`."""
    return random_id(_PREFIXES[kind], 17)


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, a role or a group.

    `boundary` is the ARN of a managed policy. Roles alone have a trust policy, which names users and roles by their
    unique ids, and `max_session_seconds`.
    """

    unique_id: str
    account: str
    kind: Kind
    name: str
    path: str
    created_at: float
    boundary: str | None = None
    trust_policy: str | None = None
    description: str | None = None
    max_session_seconds: int | None = None

    @property
    def arn(self) -> str:
        """The ARN, which contains the path."""
        return iam_arn(self.account, self.kind, self.path, self.name)


def account_scope(account: str) -> str:
    """The change scope of all identities of an account."""
    return f"identities:{account}"


def access_scope(access_key_id: str) -> str:
    """The change scope of an access key."""
    return f"access:{access_key_id}"


def add_account(tx: Transaction, account: str) -> None:
    """Make sure that an account exists."""
    dialect = sqlite if tx.connection.dialect.name == "sqlite" else postgresql
    tx.connection.execute(dialect.insert(accounts).values(account=account).on_conflict_do_nothing())


def account_exists(connection: Connection, account: str) -> bool:
    """Whether an account was ever used; with `--dev` calls need none."""
    statement = select(accounts.c.account).where(accounts.c.account == account)
    return connection.execute(statement).scalar() is not None


def add(tx: Transaction, identity: Identity) -> None:
    """Store a new identity in an account that exists."""
    values = {column: getattr(identity, column) for column in Identity.__slots__}
    tx.connection.execute(insert(identities).values(name_key=identity.name.lower(), **values))
    tx.mark(account_scope(identity.account))


def change(tx: Transaction, identity: Identity, **values: Any) -> None:  # noqa: ANN401 - columns have many types
    """Set columns of an identity."""
    if "name" in values:
        values["name_key"] = values["name"].lower()
    if values:
        tx.connection.execute(
            update(identities).where(identities.c.unique_id == identity.unique_id).values(**values)
        )
    tx.mark(account_scope(identity.account))


def remove(tx: Transaction, identity: Identity) -> None:
    """Delete an identity with all that hangs on it, access keys too."""
    own = select(access_keys.c.access_key_id).where(access_keys.c.user_id == identity.unique_id)
    for access_key_id in tx.connection.execute(own).scalars().all():
        tx.mark(access_scope(access_key_id))
    tx.connection.execute(delete(identity_tags).where(identity_tags.c.owner == identity.unique_id))
    tx.connection.execute(delete(identities).where(identities.c.unique_id == identity.unique_id))
    tx.mark(account_scope(identity.account))


def get(connection: Connection, account: str, kind: Kind, name: str) -> Identity | None:
    """The identity of exactly that name, or None."""
    row = connection.execute(
        select(identities).where(
            identities.c.account == account, identities.c.kind == kind, identities.c.name == name
        )
    ).one_or_none()
    return of_row(row) if row else None


def by_id(connection: Connection, unique_id: str) -> Identity | None:
    """The identity of that unique id, or None."""
    row = connection.execute(select(identities).where(identities.c.unique_id == unique_id)).one_or_none()
    return of_row(row) if row else None


def name_is_taken(connection: Connection, account: str, kind: Kind, name: str) -> bool:
    """Whether an account has an identity of that name in any case."""
    statement = select(identities.c.unique_id).where(
        identities.c.account == account, identities.c.kind == kind, identities.c.name_key == name.lower()
    )
    return connection.execute(statement).scalar() is not None


def page(
    connection: Connection, account: str, kind: Kind, path_prefix: str, after: str, limit: int
) -> list[Identity]:
    """Up to `limit` identities below a path, in the order of their names, that sort after `after`."""
    statement = select(identities).where(
        identities.c.account == account,
        identities.c.kind == kind,
        below(identities.c.path, path_prefix),
        identities.c.name > after,
    )
    return of_rows(connection.execute(statement.order_by(identities.c.name).limit(limit)).all())


def of_account(connection: Connection, account: str, kind: Kind) -> list[Identity]:
    """All users, roles or groups of an account."""
    statement = select(identities).where(identities.c.account == account, identities.c.kind == kind)
    return of_rows(connection.execute(statement).all())


def below(path: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Whether a path begins with `prefix`; LIKE would ignore case on SQLite."""
    return func.substr(path, 1, len(prefix)) == prefix


def count(connection: Connection, account: str, kind: Kind) -> int:
    """How many identities of a kind an account has."""
    statement = select(func.count()).where(identities.c.account == account, identities.c.kind == kind)
    return connection.execute(statement).scalar_one()


def named(connection: Connection, arn: str) -> str | None:
    """The unique id that the ARN of a user, a role or a role's session stands for now; None: of nobody who exists.

    A session's is the role's, a colon and the session's name.
    """
    parsed = Arn.parse(arn)
    if parsed is None or parsed.region:
        return None
    kind, _, rest = parsed.resource.partition("/")
    if parsed.service == "sts" and kind == "assumed-role":
        name, _, session = rest.partition("/")
        role = get(connection, parsed.account, Kind.ROLE, name)
        return f"{role.unique_id}:{session}" if role and session else None
    if parsed.service != "iam" or kind not in (Kind.USER, Kind.ROLE):
        return None
    found = get(connection, parsed.account, Kind(kind), rest.rpartition("/")[2])
    return found.unique_id if found and found.arn == arn else None


def arns(connection: Connection, unique_ids: Collection[str]) -> dict[str, str]:
    """The ARNs of those unique ids, of users, roles and roles' sessions, that still stand for somebody."""
    wanted = {unique_id: unique_id.partition(":") for unique_id in unique_ids}
    owners = [owner for owner, _, _ in wanted.values()]
    rows = connection.execute(select(identities).where(identities.c.unique_id.in_(owners)))
    found = {identity.unique_id: identity for identity in of_rows(rows.all())}
    return {
        unique_id: session_arn(found[owner].account, found[owner].name, session)
        if session
        else found[owner].arn
        for unique_id, (owner, _, session) in wanted.items()
        if owner in found
    }


def of_rows(rows: Sequence[Row[Any]]) -> list[Identity]:
    """The identities of rows that have all columns of the table."""
    return [of_row(row) for row in rows]


def of_row(row: Row[Any]) -> Identity:
    """The identity of a row that has all columns of the table."""
    return Identity(
        row.unique_id, row.account, Kind(row.kind), row.name, row.path, row.created_at, row.boundary,
        row.trust_policy, row.description, row.max_session_seconds,
    )  # fmt: skip
