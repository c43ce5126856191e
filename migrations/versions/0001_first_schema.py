"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_accounts")),
    )
    op.create_table(
        "audit_events",
        sa.Column(
            "event_id",
            sa.String(length=36),
            nullable=False,
            comment="time-ordered: 48 bits of milliseconds first",
        ),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("event_name", sa.String(length=64), nullable=False),
        sa.Column("event_source", sa.String(length=64), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=True),
        sa.Column("access_key_id", sa.String(length=32), nullable=True),
        sa.Column("resource_1", sa.String(length=512), nullable=True),
        sa.Column("resource_2", sa.String(length=512), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("record", sa.Text(), nullable=False, comment="the whole CloudTrail record as JSON"),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_events")),
    )
    op.create_index(
        "ix_audit_events_access_key_id",
        "audit_events",
        ["account", "region", "access_key_id", "event_id"],
        unique=False,
    )
    op.create_index(
        "ix_audit_events_account", "audit_events", ["account", "region", "event_id"], unique=False
    )
    op.create_index(
        "ix_audit_events_event_name",
        "audit_events",
        ["account", "region", "event_name", "event_id"],
        unique=False,
    )
    op.create_index(
        "ix_audit_events_resource_1",
        "audit_events",
        ["account", "region", "resource_1", "event_id"],
        unique=False,
    )
    op.create_index(
        "ix_audit_events_resource_2",
        "audit_events",
        ["account", "region", "resource_2", "event_id"],
        unique=False,
    )
    op.create_index(
        "ix_audit_events_username",
        "audit_events",
        ["account", "region", "username", "event_id"],
        unique=False,
    )
    op.create_table(
        "changes",
        sa.Column("scope", sa.String(length=256), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_changes")),
        comment="raised by each mutation of what the scope names, in the mutation's own transaction",
    )
    op.create_index(op.f("ix_changes_value"), "changes", ["value"], unique=False)
    op.create_table(
        "deleted_keys",
        sa.Column(
            "key_id",
            sa.String(length=64),
            nullable=False,
            comment="ids of keys whose deletion was carried out",
        ),
        sa.Column("deleted_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_deleted_keys")),
    )
    op.create_table(
        "keys",
        sa.Column(
            "key_id", sa.String(length=64), nullable=False, comment="unique across accounts and Regions"
        ),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
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
            "rotation_period_days", sa.Integer(), nullable=True, comment="null: automatic rotation is off"
        ),
        sa.Column("next_rotation_at", sa.Double(), nullable=True),
        sa.Column(
            "scheduled_rotation_at", sa.Double(), nullable=True, comment="one dated rotation, our extension"
        ),
        sa.Column("on_demand_rotations", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_use", sa.Text(), nullable=True, comment="folded in when the log is pruned"),
        sa.CheckConstraint(
            "(state = 'PendingDeletion') = (deletion_date IS NOT NULL)", name=op.f("ck_keys_deletion_date")
        ),
        sa.CheckConstraint(
            "(rotation_period_days IS NULL) = (next_rotation_at IS NULL)",
            name=op.f("ck_keys_rotation_period"),
        ),
        sa.CheckConstraint("on_demand_rotations BETWEEN 0 AND 25", name=op.f("ck_keys_on_demand_rotations")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_keys")),
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
    op.create_table(
        "limits",
        sa.Column(
            "subject",
            sa.String(length=256),
            nullable=False,
            comment="a quota of an account and Region, or a key",
        ),
        sa.Column("rate", sa.Double(), nullable=False, comment="calls per second"),
        sa.Column("burst", sa.Double(), nullable=True, comment="null: derived from the rate"),
        sa.CheckConstraint("burst IS NULL OR burst >= 1", name=op.f("ck_limits_burst")),
        sa.CheckConstraint("rate > 0", name=op.f("ck_limits_rate")),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_limits")),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
        comment="single values: root fingerprint, mode, clock offset",
    )
    op.create_table(
        "aliases",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["keys.key_id"], name=op.f("fk_aliases_key_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account", "region", "name", name=op.f("pk_aliases")),
    )
    op.create_index("ix_aliases_key_id", "aliases", ["key_id", "name"], unique=False)
    op.create_table(
        "backing_keys",
        sa.Column("material_id", sa.String(length=64), nullable=False, comment="KeyMaterialId"),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column(
            "rotation_type", sa.String(length=16), nullable=True, comment="null: the key's first material"
        ),
        sa.CheckConstraint(
            "(number = 1) = (rotation_type IS NULL)", name=op.f("ck_backing_keys_first_material")
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["keys.key_id"], name=op.f("fk_backing_keys_key_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("material_id", name=op.f("pk_backing_keys")),
        sa.UniqueConstraint("key_id", "number", name=op.f("uq_backing_keys_key_id_number")),
    )
    op.create_index(
        "uq_backing_keys_one_current",
        "backing_keys",
        ["key_id"],
        unique=True,
        sqlite_where=sa.text("is_current"),
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "tags",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("tag_key", sa.String(length=128), nullable=False),
        sa.Column("tag_value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["keys.key_id"], name=op.f("fk_tags_key_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_id", "tag_key", name=op.f("pk_tags")),
    )
    op.create_table(
        "users",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("unique_id", sa.String(length=32), nullable=False),
        sa.Column("policies", sa.Text(), nullable=False, comment="JSON object: policy name to document"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_users_account")),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_users")),
        sa.UniqueConstraint("unique_id", name=op.f("uq_users_unique_id")),
    )
    op.create_table(
        "access_keys",
        sa.Column("access_key_id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("user_name", sa.String(length=64), nullable=True, comment="null: the account's root"),
        sa.Column("wrapped_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account", "user_name"],
            ["users.account", "users.name"],
            name=op.f("fk_access_keys_account_user_name"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_access_keys_account")),
        sa.PrimaryKeyConstraint("access_key_id", name=op.f("pk_access_keys")),
    )
