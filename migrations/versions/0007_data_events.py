"""Audit records of data events."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_data_events",
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
        sa.Column("access_key_id", sa.String(length=128), nullable=True),
        sa.Column("resource_1", sa.String(length=1152), nullable=True),
        sa.Column("resource_2", sa.String(length=1152), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("record", sa.Text(), nullable=False, comment="the whole CloudTrail record as JSON"),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_data_events")),
    )
