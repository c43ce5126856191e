"""How many grants there are on each key."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "grant_counts",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column(
            "grants",
            sa.Integer(),
            nullable=False,
            comment="how many there are on the key; counting 50,000 takes long",
        ),
        sa.ForeignKeyConstraint(
            ["key_id", "region"],
            ["keys.key_id", "keys.region"],
            name=op.f("fk_grant_counts_key_id_region"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key_id", "region", name=op.f("pk_grant_counts")),
    )
    op.execute(
        "INSERT INTO grant_counts (key_id, region, grants) "
        "SELECT key_id, region, count(*) FROM grants GROUP BY key_id, region"
    )
