"""Room for the longest alias among the changes, and for the longest access key id in the log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("changes") as table:
        table.alter_column(
            "scope",
            existing_type=sa.String(length=256),
            type_=sa.String(length=512),
            existing_nullable=False,
            comment="the longest names an alias",
        )
    with op.batch_alter_table("audit_events") as table:
        table.alter_column(
            "access_key_id",
            existing_type=sa.String(length=32),
            type_=sa.String(length=128),
            existing_nullable=True,
        )
