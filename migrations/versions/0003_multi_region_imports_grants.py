"""Keys by id and Region, imported material with its expiry, grants, and every id that was ever used."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BYTEWISE = sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql")
# All of a key's tables change their primary keys: they are set aside, made anew and filled again.
_ASIDE = ("aliases", "tags", "backing_keys", "keys", "deleted_keys")


def upgrade() -> None:
    for table in _ASIDE:
        op.execute(f"CREATE TEMPORARY TABLE old_{table} AS SELECT * FROM {table}")  # noqa: S608 - our own names
    for table in _ASIDE:
        op.drop_table(table)
    _create_keys()
    _create_what_hangs_on_keys()
    _create_grants()
    for statement in _REFILL:
        op.execute(statement)
    for table in _ASIDE:
        op.drop_table(f"old_{table}")


_REFILL = (
    "INSERT INTO key_ids (key_id, account) SELECT key_id, account FROM old_keys",
    "INSERT INTO key_ids (key_id, deleted_at) SELECT key_id, deleted_at FROM old_deleted_keys",
    """
    INSERT INTO keys (
        key_id, region, account, spec, usage, origin, manager, state, description, policy, created_at, deletion_date,
        rotation_period_days, next_rotation_at, scheduled_rotation_at, on_demand_rotations, last_use
    ) SELECT
        key_id, region, account, spec, usage, origin, manager, state, description, policy, created_at, deletion_date,
        rotation_period_days, next_rotation_at, scheduled_rotation_at, on_demand_rotations, last_use
    FROM old_keys
    """,
    """
    INSERT INTO backing_keys (
        material_id, region, key_id, number, status, wrapped, created_at, rotation_type, rotated_at
    ) SELECT
        material_id, region, key_id, number, CASE WHEN is_current THEN 'CURRENT' ELSE 'NON_CURRENT' END, wrapped,
        old_backing_keys.created_at, rotation_type,
        CASE WHEN rotation_type IS NULL THEN NULL ELSE old_backing_keys.created_at END
    FROM old_backing_keys JOIN old_keys USING (key_id)
    """,
    """
    INSERT INTO aliases (account, region, name, key_id, created_at, updated_at)
    SELECT account, region, name, key_id, created_at, updated_at FROM old_aliases
    """,
    """
    INSERT INTO tags (key_id, region, tag_key, tag_value)
    SELECT key_id, region, tag_key, tag_value FROM old_tags JOIN old_keys USING (key_id)
    """,
)


def _create_keys() -> None:
    op.create_table(
        "key_ids",
        sa.Column("key_id", sa.String(length=64), nullable=False, comment="every id that was ever used"),
        sa.Column(
            "account", sa.String(length=12), nullable=True, comment="null: deleted before accounts were kept"
        ),
        sa.Column(
            "deleted_at", sa.Double(), nullable=True, comment="when the last key of that id was deleted"
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_key_ids")),
        sa.UniqueConstraint("key_id", "account", name=op.f("uq_key_ids_key_id_account")),
    )
    op.create_table(
        "keys",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("spec", sa.String(length=32), nullable=False),
        sa.Column("usage", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("manager", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("deletion_date", sa.Double(), nullable=True),
        sa.Column(
            "pending_window_days",
            sa.Integer(),
            nullable=True,
            comment="of a primary that waits for its replicas",
        ),
        sa.Column(
            "rotation_period_days", sa.Integer(), nullable=True, comment="null: automatic rotation is off"
        ),
        sa.Column("next_rotation_at", sa.Double(), nullable=True),
        sa.Column(
            "scheduled_rotation_at", sa.Double(), nullable=True, comment="one dated rotation, our extension"
        ),
        sa.Column("on_demand_rotations", sa.Integer(), server_default="0", nullable=False),
        sa.Column("primary_region", sa.String(length=32), nullable=True, comment="null: a single-Region key"),
        sa.Column("last_use", sa.Text(), nullable=True, comment="folded in when the log is pruned"),
        sa.CheckConstraint(
            "(key_id LIKE 'mrk-%') = (primary_region IS NOT NULL)", name=op.f("ck_keys_primary_region")
        ),
        sa.CheckConstraint(
            "(state = 'PendingDeletion') = (deletion_date IS NOT NULL)", name=op.f("ck_keys_deletion_date")
        ),
        sa.CheckConstraint(
            "(state = 'PendingReplicaDeletion') = (pending_window_days IS NOT NULL)",
            name=op.f("ck_keys_pending_window_days"),
        ),
        sa.CheckConstraint(
            "(rotation_period_days IS NULL) = (next_rotation_at IS NULL)",
            name=op.f("ck_keys_rotation_period"),
        ),
        sa.CheckConstraint("on_demand_rotations BETWEEN 0 AND 25", name=op.f("ck_keys_on_demand_rotations")),
        sa.ForeignKeyConstraint(
            ["key_id", "account"], ["key_ids.key_id", "key_ids.account"], name=op.f("fk_keys_key_id_account")
        ),
        sa.PrimaryKeyConstraint("key_id", "region", name=op.f("pk_keys")),
    )
    op.create_index("ix_keys_account_region", "keys", ["account", "region", "key_id"], unique=False)
    op.create_index(
        "ix_keys_deletion_date",
        "keys",
        ["deletion_date"],
        unique=False,
        sqlite_where=sa.text("deletion_date IS NOT NULL"),
        postgresql_where=sa.text("deletion_date IS NOT NULL"),
    )
    op.create_index(
        "ix_keys_next_rotation_at",
        "keys",
        ["next_rotation_at"],
        unique=False,
        sqlite_where=sa.text("next_rotation_at IS NOT NULL"),
        postgresql_where=sa.text("next_rotation_at IS NOT NULL"),
    )
    op.create_index(
        "ix_keys_scheduled_rotation_at",
        "keys",
        ["scheduled_rotation_at"],
        unique=False,
        sqlite_where=sa.text("scheduled_rotation_at IS NOT NULL"),
        postgresql_where=sa.text("scheduled_rotation_at IS NOT NULL"),
    )
    op.create_index(
        "uq_keys_single_region",
        "keys",
        ["key_id"],
        unique=True,
        sqlite_where=sa.text("primary_region IS NULL"),
        postgresql_where=sa.text("primary_region IS NULL"),
    )


def _create_what_hangs_on_keys() -> None:
    op.create_table(
        "backing_keys",
        sa.Column("material_id", sa.String(length=64), nullable=False, comment="KeyMaterialId"),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=48), nullable=False, comment="KeyMaterialState"),
        sa.Column(
            "wrapped",
            sa.LargeBinary(),
            nullable=True,
            comment="null: imported material that is gone, or awaited",
        ),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True, comment="of imported material, wrapped"),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("valid_to", sa.Double(), nullable=True, comment="when imported material expires"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column(
            "rotation_type",
            sa.String(length=16),
            nullable=True,
            comment="null: the first material, or one not yet in use",
        ),
        sa.Column("rotated_at", sa.Double(), nullable=True, comment="when it became current by a rotation"),
        sa.CheckConstraint(
            "(number = 1 OR status LIKE 'PENDING%') = (rotation_type IS NULL)",
            name=op.f("ck_backing_keys_rotation_type"),
        ),
        sa.CheckConstraint(
            "(rotation_type IS NULL) = (rotated_at IS NULL)", name=op.f("ck_backing_keys_rotated_at")
        ),
        sa.ForeignKeyConstraint(
            ["key_id", "region"],
            ["keys.key_id", "keys.region"],
            name=op.f("fk_backing_keys_key_id_region"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("material_id", "region", name=op.f("pk_backing_keys")),
        sa.UniqueConstraint("key_id", "region", "number", name=op.f("uq_backing_keys_key_id_region_number")),
    )
    op.create_index(
        "ix_backing_keys_valid_to",
        "backing_keys",
        ["valid_to"],
        unique=False,
        sqlite_where=sa.text("valid_to IS NOT NULL"),
        postgresql_where=sa.text("valid_to IS NOT NULL"),
    )
    op.create_index(
        "uq_backing_keys_one_current",
        "backing_keys",
        ["key_id", "region"],
        unique=True,
        sqlite_where=sa.text("status = 'CURRENT'"),
        postgresql_where=sa.text("status = 'CURRENT'"),
    )
    op.create_index(
        "uq_backing_keys_one_pending",
        "backing_keys",
        ["key_id", "region"],
        unique=True,
        sqlite_where=sa.text("status LIKE 'PENDING%'"),
        postgresql_where=sa.text("status LIKE 'PENDING%'"),
    )
    op.create_table(
        "aliases",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", _BYTEWISE, nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id", "region"],
            ["keys.key_id", "keys.region"],
            name=op.f("fk_aliases_key_id_region"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account", "region", "name", name=op.f("pk_aliases")),
    )
    op.create_index("ix_aliases_key_id", "aliases", ["key_id", "region", "name"], unique=False)
    op.create_table(
        "tags",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("tag_key", sa.String(length=128), nullable=False),
        sa.Column("tag_value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id", "region"],
            ["keys.key_id", "keys.region"],
            name=op.f("fk_tags_key_id_region"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key_id", "region", "tag_key", name=op.f("pk_tags")),
    )


def _create_grants() -> None:
    op.create_table(
        "grants",
        sa.Column("grant_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=True),
        sa.Column(
            "grantee", sa.String(length=256), nullable=False, comment="a principal's ARN, or a service"
        ),
        sa.Column("grantee_is_service", sa.Boolean(), nullable=False),
        sa.Column(
            "retiring", sa.String(length=256), nullable=True, comment="a principal's ARN, or a service"
        ),
        sa.Column("retiring_is_service", sa.Boolean(), nullable=False),
        sa.Column("operations", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("constraints", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("issuing_account", sa.String(length=12), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column(
            "request",
            sa.String(length=64),
            nullable=True,
            comment="digest of all that was asked for, where it has a name",
        ),
        sa.ForeignKeyConstraint(
            ["key_id", "region"],
            ["keys.key_id", "keys.region"],
            name=op.f("fk_grants_key_id_region"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_grants")),
        sa.UniqueConstraint("key_id", "region", "request", name=op.f("uq_grants_key_id_region_request")),
    )
    op.create_index("ix_grants_key_id", "grants", ["key_id", "region", "grant_id"], unique=False)
    op.create_index("ix_grants_retiring", "grants", ["retiring", "region", "grant_id"], unique=False)
