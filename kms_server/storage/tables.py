"""The schema. Invariants stand here as constraints; `migrations/` builds the same tables.

Times are epoch seconds (double precision). Booleans are real booleans on PostgreSQL and 0/1 on SQLite.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from kms_server.storage import (  # noqa: F401 - their tables belong to the same metadata
    identity_tables,
    limit_tables,
    object_tables,
    trail_tables,
)
from kms_server.storage.root_tables import root_prefix
from kms_server.storage.schema import BYTEWISE, metadata

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    comment="single values: mode, clock offset",
)

changes = Table(
    "changes",
    metadata,
    Column("scope", String(512), primary_key=True, comment="the longest names an alias"),
    Column("value", BigInteger, nullable=False, index=True),
    comment="raised by each mutation of what the scope names, in the mutation's own transaction",
)

key_ids = Table(
    "key_ids",
    metadata,
    Column("key_id", String(64), primary_key=True, comment="every id that was ever used"),
    Column("account", String(12), nullable=True, comment="null: deleted before accounts were kept"),
    Column("deleted_at", Double, nullable=True, comment="when the last key of that id was deleted"),
    UniqueConstraint("key_id", "account"),
)

# Of a key that cannot rotate now the dates may be long past: it is not looked at.
ROTATES = text("state = 'Enabled' AND (primary_region IS NULL OR primary_region = region)")


def _rotating(column: str) -> Index:
    given = text(f"{column} IS NOT NULL AND {ROTATES}")
    return Index(f"ix_keys_{column}", column, sqlite_where=given, postgresql_where=given)


keys = Table(
    "keys",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("spec", String(32), nullable=False),
    Column("usage", String(32), nullable=False),
    Column("origin", String(32), nullable=False),
    Column("manager", String(16), nullable=False),
    Column("state", String(32), nullable=False),
    Column("description", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("deletion_date", Double, nullable=True),
    Column("pending_window_days", Integer, nullable=True, comment="of a primary that waits for its replicas"),
    Column("rotation_period_days", Integer, nullable=True, comment="null: automatic rotation is off"),
    Column("next_rotation_at", Double, nullable=True),
    Column("scheduled_rotation_at", Double, nullable=True, comment="one dated rotation, our extension"),
    Column("on_demand_rotations", Integer, nullable=False, server_default="0"),
    Column("primary_region", String(32), nullable=True, comment="null: a single-Region key"),
    Column("last_use", Text, nullable=True, comment="folded in when the log is pruned"),
    ForeignKeyConstraint(["key_id", "account"], ["key_ids.key_id", "key_ids.account"]),
    CheckConstraint("(state = 'PendingDeletion') = (deletion_date IS NOT NULL)", name="deletion_date"),
    CheckConstraint(
        "(state = 'PendingReplicaDeletion') = (pending_window_days IS NOT NULL)", name="pending_window_days"
    ),
    CheckConstraint(
        "(rotation_period_days IS NULL) = (next_rotation_at IS NULL)", name="rotation_period"
    ),
    CheckConstraint("on_demand_rotations BETWEEN 0 AND 25", name="on_demand_rotations"),
    CheckConstraint("(key_id LIKE 'mrk-%') = (primary_region IS NOT NULL)", name="primary_region"),
    Index("uq_keys_single_region", "key_id", unique=True,
          sqlite_where=text("primary_region IS NULL"), postgresql_where=text("primary_region IS NULL")),
    Index("ix_keys_account_region", "account", "region", "key_id"),
    Index("ix_keys_deletion_date", "deletion_date", sqlite_where=text("deletion_date IS NOT NULL"),
          postgresql_where=text("deletion_date IS NOT NULL")),
    _rotating("next_rotation_at"),
    _rotating("scheduled_rotation_at"),
)  # fmt: skip

key_counts = Table(
    "key_counts",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column(
        "keys",
        Integer,
        nullable=False,
        comment="how many count against the quota; counting 100,000 takes long",
    ),
    CheckConstraint("keys >= 0", name="keys"),
)

backing_keys = Table(
    "backing_keys",
    metadata,
    Column("material_id", String(64), primary_key=True, comment="KeyMaterialId"),
    Column("region", String(32), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("status", String(48), nullable=False, comment="KeyMaterialState"),
    Column("wrapped", LargeBinary, nullable=True, comment="null: imported material that is gone, or awaited"),
    Column("fingerprint", LargeBinary, nullable=True, comment="of imported material, wrapped"),
    Column("description", Text, nullable=True),
    Column("valid_to", Double, nullable=True, comment="when imported material expires"),
    Column("created_at", Double, nullable=False),
    Column("rotation_type", String(16), nullable=True, comment="null: the first material, or one not yet in use"),
    Column("rotated_at", Double, nullable=True, comment="when it became current by a rotation"),
    root_prefix("wrapped"),
    root_prefix("fingerprint", "fingerprint_root_prefix"),
    ForeignKeyConstraint(["key_id", "region"], ["keys.key_id", "keys.region"], ondelete="CASCADE"),
    UniqueConstraint("key_id", "region", "number"),
    CheckConstraint("(rotation_type IS NULL) = (rotated_at IS NULL)", name="rotated_at"),
    CheckConstraint(
        "(number = 1 OR status LIKE 'PENDING%') = (rotation_type IS NULL)", name="rotation_type"
    ),
    Index("uq_backing_keys_one_current", "key_id", "region", unique=True,
          sqlite_where=text("status = 'CURRENT'"), postgresql_where=text("status = 'CURRENT'")),
    Index("uq_backing_keys_one_pending", "key_id", "region", unique=True,
          sqlite_where=text("status LIKE 'PENDING%'"), postgresql_where=text("status LIKE 'PENDING%'")),
    Index("ix_backing_keys_root_prefix", "root_prefix", "material_id", "region"),
    Index("ix_backing_keys_valid_to", "valid_to", sqlite_where=text("valid_to IS NOT NULL"),
          postgresql_where=text("valid_to IS NOT NULL")),
)  # fmt: skip

aliases = Table(
    "aliases",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("name", BYTEWISE, primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    ForeignKeyConstraint(["key_id", "region"], ["keys.key_id", "keys.region"], ondelete="CASCADE"),
    Index("ix_aliases_key_id", "key_id", "region", "name"),
)

tags = Table(
    "tags",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("tag_key", String(128), primary_key=True),
    Column("tag_value", String(256), nullable=False),
    ForeignKeyConstraint(["key_id", "region"], ["keys.key_id", "keys.region"], ondelete="CASCADE"),
)

grants = Table(
    "grants",
    metadata,
    Column("grant_id", String(64), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", String(256), nullable=True),
    Column("grantee", String(256), nullable=False, comment="a principal's ARN, or a service"),
    Column("grantee_is_service", Boolean, nullable=False),
    Column("retiring", String(256), nullable=True, comment="a principal's ARN, or a service"),
    Column("retiring_is_service", Boolean, nullable=False),
    Column(
        "grantee_key",
        String(256),
        nullable=False,
        comment="what a caller is matched by: a unique id or an ARN",
    ),
    Column(
        "retiring_key",
        String(256),
        nullable=True,
        comment="what a caller is matched by: a unique id or an ARN",
    ),
    Column("operations", Text, nullable=False, comment="JSON list"),
    Column("constraints", Text, nullable=False, comment="JSON object"),
    Column("issuing_account", String(12), nullable=False),
    Column("created_at", Double, nullable=False),
    Column(
        "request", String(64), nullable=True, comment="digest of all that was asked for, where it has a name"
    ),
    ForeignKeyConstraint(["key_id", "region"], ["keys.key_id", "keys.region"], ondelete="CASCADE"),
    UniqueConstraint("key_id", "region", "request"),
    Index("ix_grants_key_id", "key_id", "region", "grant_id"),
    Index("ix_grants_retiring", "retiring", "region", "grant_id"),
    Index("ix_grants_grantee_key", "key_id", "region", "grantee_key", "grant_id"),
    Index("ix_grants_retiring_key", "retiring_key", "region", "grant_id"),
)

grant_counts = Table(
    "grant_counts",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column(
        "grants", Integer, nullable=False, comment="how many there are on the key; counting 50,000 takes long"
    ),
    ForeignKeyConstraint(["key_id", "region"], ["keys.key_id", "keys.region"], ondelete="CASCADE"),
)
