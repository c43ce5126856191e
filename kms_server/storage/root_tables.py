"""Tables of the root key: its versions, who holds them, and the secrets under it that are no rows of other tables.

`root_prefix` of a wrapped column is what the value begins with, and a foreign key: nothing can be stored under a version
that may not wrap, and no version can retire under which anything is stored.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from kms_server.storage.schema import metadata


def root_prefix(of: str, name: str = "root_prefix") -> Column[bytes]:
    """The column that tells which version of the root key another one is wrapped under.

    PostgreSQL has foreign keys on stored columns only; SQLite adds only virtual ones to tables that exist.
    """
    told = Computed(f"substr({of}, 1, 5)", persisted=True)
    return Column(name, LargeBinary, told, ForeignKey("root_versions.prefix"))


_IS_CURRENT = text("state = 'current'")

root_versions = Table(
    "root_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False, comment="announced, current, former or retired"),
    Column("prefix", LargeBinary, nullable=True, unique=True, comment="null: nothing may be wrapped under it"),
    Column("fingerprint", String(64), nullable=True, comment="null: before the first start"),
    Column("place", Text, nullable=True, comment="null: where the server is told"),
    Column("endorsement", LargeBinary, nullable=True, comment="by the version before: fingerprint and place"),
    Column("current_from", Double, nullable=True, comment="null: since before this was kept"),
    Column("current_until", Double, nullable=True),
    Column("retired_at", Double, nullable=True),
    CheckConstraint("(state IN ('current', 'former')) = (prefix IS NOT NULL)", name="prefix"),
    CheckConstraint("(state = 'retired') = (retired_at IS NOT NULL)", name="retired_at"),
    Index("uq_root_versions_one_current", "state", unique=True, sqlite_where=_IS_CURRENT,
          postgresql_where=_IS_CURRENT),
)  # fmt: skip

root_holders = Table(
    "root_holders",
    metadata,
    Column("holder", String(32), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("holds", Text, nullable=False, comment="versions between commas"),
    Column("wraps", Integer, nullable=False, comment="the version it wraps under"),
    Column("problem", Text, nullable=True, comment="why it does not hold all versions"),
    Column("answered_at", Double, nullable=False, comment="by the database's clock"),
    comment="one row for each process that serves",
)

wrapped_secrets = Table(
    "wrapped_secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    root_prefix("wrapped"),
    comment="the key of the audit log's chains, the key of tokens",
)
