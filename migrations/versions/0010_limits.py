"""Longer subjects of limits, requests for quota increases, faults that tests inject."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OPEN = sa.text("status = 'PENDING'")


def upgrade() -> None:
    _lengthen_subjects()
    op.create_table(
        "quota_requests",
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("service", sa.String(length=32), nullable=False),
        sa.Column("quota_id", sa.String(length=64), nullable=False),
        sa.Column("desired", sa.Double(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False, comment="PENDING, APPROVED or DENIED"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("requester", sa.Text(), nullable=False, comment="JSON: account and ARN of the caller"),
        sa.CheckConstraint(
            "status IN ('PENDING', 'APPROVED', 'DENIED')", name=op.f("ck_quota_requests_status")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_quota_requests")),
    )
    op.create_index(
        "ix_quota_requests_history", "quota_requests", ["account", "region", "created_at"], unique=False
    )
    op.create_index(
        "uq_quota_requests_one_open",
        "quota_requests",
        ["account", "region", "quota_id"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "injected_faults",
        sa.Column("number", number, nullable=False, comment="the oldest goes first"),
        sa.Column("fault_id", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=12), nullable=True, comment="of the callers; null: of all"),
        sa.Column("operation", sa.String(length=64), nullable=True, comment="null: any"),
        sa.Column("key_id", sa.String(length=64), nullable=True, comment="null: any, or none"),
        sa.Column(
            "principal", sa.String(length=1024), nullable=True, comment="a pattern of ARNs; null: anybody"
        ),
        sa.Column(
            "error",
            sa.String(length=64),
            nullable=True,
            comment="the code; null: calls are slow but do not fail",
        ),
        sa.Column("delay", sa.Double(), nullable=False, comment="seconds"),
        sa.Column(
            "schedule",
            sa.Text(),
            nullable=False,
            comment="a digit for each call in turn, 1: the call is met; then from the start",
        ),
        sa.Column(
            "calls",
            sa.BigInteger(),
            nullable=True,
            comment="how many calls it counts; null: all until it is removed",
        ),
        sa.Column("seen", sa.BigInteger(), nullable=False, comment="how many it has counted"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("delay >= 0", name=op.f("ck_injected_faults_delay")),
        sa.CheckConstraint("calls IS NULL OR seen <= calls", name=op.f("ck_injected_faults_calls")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_injected_faults")),
        sa.UniqueConstraint("fault_id", name=op.f("uq_injected_faults_fault_id")),
    )


def _lengthen_subjects() -> None:
    """Make the table anew: SQLite cannot change a column."""
    columns = sa.column("subject"), sa.column("rate"), sa.column("burst")
    rows = op.get_bind().execute(sa.select(*columns).select_from(sa.table("limits"))).mappings().all()
    op.drop_table("limits")
    limits = op.create_table(
        "limits",
        sa.Column(
            "subject",
            sa.String(length=1024),
            nullable=False,
            comment="a quota of an account and Region, a key, or a pattern",
        ),
        sa.Column(
            "rate", sa.Double(), nullable=False, comment="calls per second; of a resource quota, how many"
        ),
        sa.Column("burst", sa.Double(), nullable=True, comment="null: derived from the rate"),
        sa.CheckConstraint("rate > 0", name=op.f("ck_limits_rate")),
        sa.CheckConstraint("burst IS NULL OR burst >= 1", name=op.f("ck_limits_burst")),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_limits")),
    )
    if rows:
        op.bulk_insert(limits, [dict(row) for row in rows])
