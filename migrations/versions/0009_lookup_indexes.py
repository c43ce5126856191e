"""Indexes for every attribute that events are looked up by."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TYPE = (
    "(CASE WHEN {0} LIKE 'arn:aws:kms:%:key/%' THEN 'AWS::KMS::Key'"
    " WHEN {0} LIKE 'arn:aws:kms:%:alias/%' THEN 'AWS::KMS::Alias'"
    " WHEN {0} LIKE 'arn:aws:iam::%:role/%' THEN 'AWS::IAM::Role'"
    " WHEN {0} LIKE 'arn:aws:cloudtrail:%:trail/%' THEN 'AWS::CloudTrail::Trail'"
    " WHEN {0} LIKE 'arn:aws:s3:::%/%' THEN 'AWS::S3::Object'"
    " WHEN {0} LIKE 'arn:aws:s3:::%' THEN 'AWS::S3::Bucket' END)"
)


def upgrade() -> None:
    for column in ("event_source", "read_only"):
        op.create_index(
            f"ix_audit_events_{column}",
            "audit_events",
            ["account", "region", column, "event_id"],
            unique=False,
        )
    for column in ("resource_1", "resource_2"):
        given = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_audit_events_{column}_type",
            "audit_events",
            ["account", "region", sa.literal_column(_TYPE.format(column)), "event_id"],
            unique=False,
            sqlite_where=given,
            postgresql_where=given,
        )
