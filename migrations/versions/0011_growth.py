"""Counts of keys, and indexes that hold no more than is asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ROTATES = "state = 'Enabled' AND (primary_region IS NULL OR primary_region = region)"


def upgrade() -> None:
    op.create_table(
        "key_counts",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column(
            "keys",
            sa.Integer(),
            nullable=False,
            comment="how many count against the quota; counting 100,000 takes long",
        ),
        sa.CheckConstraint("keys >= 0", name=op.f("ck_key_counts_keys")),
        sa.PrimaryKeyConstraint("account", "region", name=op.f("pk_key_counts")),
    )
    op.execute(
        "INSERT INTO key_counts (account, region, keys) "
        "SELECT account, region, count(*) FROM keys WHERE manager = 'CUSTOMER' GROUP BY account, region"
    )
    for column in ("next_rotation_at", "scheduled_rotation_at"):
        given = sa.text(f"{column} IS NOT NULL AND {_ROTATES}")
        op.drop_index(f"ix_keys_{column}", "keys")
        op.create_index(
            f"ix_keys_{column}", "keys", [column], unique=False, sqlite_where=given, postgresql_where=given
        )
    op.drop_index("ix_grants_grantee_key", "grants")
    op.create_index(
        "ix_grants_grantee_key", "grants", ["key_id", "region", "grantee_key", "grant_id"], unique=False
    )
