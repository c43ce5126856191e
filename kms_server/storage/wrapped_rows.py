"""All values that are wrapped under the root key, as rows that can be wrapped anew.

They are read in the order of their primary keys and replaced only where they are still what was read, so that what
somebody else has changed meanwhile stays.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, FromClause, and_, func, select, tuple_, update

from kms_server.storage.database import Transaction
from kms_server.storage.identities import access_scope
from kms_server.storage.identity_tables import access_keys, identities
from kms_server.storage.root_tables import wrapped_secrets
from kms_server.storage.scopes import key_scope
from kms_server.storage.tables import backing_keys, keys
from kms_server.storage.trail_tables import signing_keys


@dataclass(frozen=True, slots=True)
class WrappedRow:
    """A wrapped value, the primary key of its row, and what it is bound to."""

    identity: tuple[str, ...]
    value: bytes = field(repr=False)
    bound_to: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WrappedColumn:
    """A column of wrapped values, and `prefix`, which tells the version of the root key.

    `bound_to` are the columns of `rows` that its values are bound to, by name; `scope` is what changes with a value.
    """

    column: Column[bytes]
    prefix: Column[bytes]
    rows: FromClause
    bound_to: Mapping[str, ColumnElement[Any]]
    scope: Callable[[Mapping[str, Any]], str | None]

    def count(self, connection: Connection, prefix: bytes) -> int:
        """How many values begin with a prefix."""
        return connection.execute(select(func.count()).where(self.prefix == prefix)).scalar_one()

    def page(
        self, connection: Connection, prefix: bytes, after: tuple[str, ...] | None, limit: int
    ) -> list[WrappedRow]:
        """Up to `limit` values that begin with a prefix, behind the row that was read last."""
        identity = list(self.column.table.primary_key)
        wanted = select(*identity, self.column, *self.bound_to.values()).select_from(self.rows)
        wanted = wanted.where(self.prefix == prefix).order_by(*identity).limit(limit)
        if after is not None:
            wanted = wanted.where(tuple_(*identity) > after)
        keyed = len(identity)
        return [
            WrappedRow(
                tuple(row[:keyed]), row[keyed], dict(zip(self.bound_to, row[keyed + 1 :], strict=True))
            )
            for row in connection.execute(wanted)
        ]

    def replace(self, tx: Transaction, row: WrappedRow, value: bytes) -> bool:
        """Put another value in place of one that was read; False: it has changed, or is gone."""
        identity = self.column.table.primary_key
        is_it = and_(*(column == known for column, known in zip(identity, row.identity, strict=True)))
        statement = update(self.column.table).where(is_it, self.column == row.value)
        replaced = tx.connection.execute(statement.values({self.column: value})).rowcount == 1
        scope = self.scope(row.bound_to)
        if replaced and scope is not None:
            tx.mark(scope)
        return replaced


def _columns(table: FromClause, *names: str) -> dict[str, ColumnElement[Any]]:
    return {name: table.c[name] for name in names}


def _of_key(bound_to: Mapping[str, Any]) -> str:
    return key_scope(bound_to["key_id"], bound_to["region"])


_MATERIALS = backing_keys.join(keys)
_NAMED = access_keys.join(identities, access_keys.c.user_id == identities.c.unique_id, isouter=True)

MATERIALS = WrappedColumn(
    backing_keys.c.wrapped, backing_keys.c.root_prefix, _MATERIALS,
    _columns(backing_keys, "region", "key_id", "material_id") | _columns(keys, "account", "spec", "usage", "origin"),
    _of_key,
)  # fmt: skip
FINGERPRINTS = WrappedColumn(
    backing_keys.c.fingerprint, backing_keys.c.fingerprint_root_prefix, _MATERIALS,
    _columns(backing_keys, "region", "key_id", "material_id") | _columns(keys, "account"), _of_key,
)  # fmt: skip
ACCESS_KEYS = WrappedColumn(
    access_keys.c.wrapped_secret, access_keys.c.root_prefix, _NAMED,
    _columns(access_keys, "account", "access_key_id") | {"user_name": identities.c.name},
    lambda bound_to: access_scope(bound_to["access_key_id"]),
)  # fmt: skip
SIGNING_KEYS = WrappedColumn(
    signing_keys.c.wrapped, signing_keys.c.root_prefix, signing_keys, _columns(signing_keys, "fingerprint"),
    lambda _: None,
)  # fmt: skip
SECRETS = WrappedColumn(
    wrapped_secrets.c.wrapped, wrapped_secrets.c.root_prefix, wrapped_secrets, _columns(wrapped_secrets, "name"),
    lambda _: None,
)  # fmt: skip
