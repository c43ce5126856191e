"""Chains of audit records, trails and what they deliver, keys and checkpoints that prove the log."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_checkpoints",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON, as it was signed"),
        sa.Column("fingerprint", sa.String(length=32), nullable=False, comment="of the key that signed it"),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_positions",
        sa.Column(
            "reader",
            sa.String(length=64),
            nullable=False,
            comment="the id of a trail, or what else follows the log",
        ),
        sa.Column("writer", sa.String(length=64), nullable=False),
        sa.Column(
            "seq",
            sa.BigInteger(),
            nullable=False,
            comment="the newest row of the writer that the reader has taken",
        ),
        sa.PrimaryKeyConstraint("reader", "writer", name=op.f("pk_audit_positions")),
    )
    op.create_table(
        "signing_keys",
        sa.Column(
            "fingerprint", sa.String(length=32), nullable=False, comment="hexadecimal MD5 of the public key"
        ),
        sa.Column("public_key", sa.LargeBinary(), nullable=False, comment="DER of PKCS #1"),
        sa.Column(
            "wrapped", sa.LargeBinary(), nullable=True, comment="the private key; null: erased after its time"
        ),
        sa.Column("starts_at", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.Column(
            "proof",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="tells our keys from any that was slipped in",
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_signing_keys_validity")),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "trails",
        sa.Column("trail_id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False, comment="the home Region"),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("bucket", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=200), nullable=False, comment="empty: none"),
        sa.Column(
            "kms_key",
            sa.String(length=2048),
            nullable=True,
            comment="the ARN of the key that delivered files are under",
        ),
        sa.Column("global_events", sa.Boolean(), nullable=False),
        sa.Column("multi_region", sa.Boolean(), nullable=False),
        sa.Column("validation", sa.Boolean(), nullable=False, comment="whether digests are delivered"),
        sa.Column("selectors", sa.Text(), nullable=True, comment="JSON; null: all management events"),
        sa.Column("logging", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("stopped_at", sa.Double(), nullable=True),
        sa.Column(
            "deleted_at", sa.Double(), nullable=True, comment="kept until all that it recorded is delivered"
        ),
        sa.Column("attempted_at", sa.Double(), nullable=True, comment="the last delivery, of log files"),
        sa.Column("delivered_at", sa.Double(), nullable=True),
        sa.Column("delivery_error", sa.Text(), nullable=True, comment="null: the last attempt succeeded"),
        sa.Column("digest_attempted_at", sa.Double(), nullable=True),
        sa.Column("digest_delivered_at", sa.Double(), nullable=True),
        sa.Column("digest_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("trail_id", name=op.f("pk_trails")),
    )
    op.create_index(
        "uq_trails_name",
        "trails",
        ["account", "region", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "trail_digests",
        sa.Column("trail_id", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.Column("starts_at", sa.Double(), nullable=False),
        sa.Column("bucket", sa.String(length=64), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column(
            "body", sa.LargeBinary(), nullable=False, comment="uncompressed; empty once it is delivered"
        ),
        sa.Column("hash", sa.String(length=64), nullable=False, comment="hexadecimal SHA-256 of the body"),
        sa.Column("signature", sa.Text(), nullable=False, comment="hexadecimal"),
        sa.Column("fingerprint", sa.String(length=32), nullable=False, comment="of the key that signed it"),
        sa.Column("final", sa.Boolean(), nullable=False, comment="whether the chain ends here"),
        sa.Column("delivered_at", sa.Double(), nullable=True),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_trail_digests_window")),
        sa.ForeignKeyConstraint(
            ["trail_id"], ["trails.trail_id"], name=op.f("fk_trail_digests_trail_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trail_id", "region", "ends_at", name=op.f("pk_trail_digests")),
    )
    op.create_table(
        "trail_files",
        sa.Column("file_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("trail_id", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("bucket", sa.String(length=64), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column(
            "ranges", sa.Text(), nullable=False, comment="JSON: of each writer the first and the last row"
        ),
        sa.Column(
            "selectors",
            sa.Text(),
            nullable=True,
            comment="those of the trail when the file was planned",
        ),
        sa.Column("planned_at", sa.Double(), nullable=False),
        sa.Column("delivered_at", sa.Double(), nullable=True),
        sa.Column(
            "hash",
            sa.String(length=64),
            nullable=True,
            comment="hexadecimal SHA-256 of what is in the file, uncompressed",
        ),
        sa.Column("oldest_event", sa.Double(), nullable=True),
        sa.Column("newest_event", sa.Double(), nullable=True),
        sa.Column(
            "digest_end",
            sa.Double(),
            nullable=True,
            comment="of the digest that lists the file, or when it was delivered without one",
        ),
        sa.CheckConstraint("(delivered_at IS NULL) = (hash IS NULL)", name=op.f("ck_trail_files_hash")),
        sa.CheckConstraint(
            "delivered_at IS NOT NULL OR digest_end IS NULL", name=op.f("ck_trail_files_digest_end")
        ),
        sa.ForeignKeyConstraint(
            ["trail_id"], ["trails.trail_id"], name=op.f("fk_trail_files_trail_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_trail_files")),
    )
    op.create_index(
        "ix_trail_files_digest", "trail_files", ["trail_id", "region", "digest_end"], unique=False
    )
    op.create_index(
        "ix_trail_files_pending",
        "trail_files",
        ["trail_id", "file_id"],
        unique=False,
        sqlite_where=sa.text("delivered_at IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "trail_tags",
        sa.Column("trail_id", sa.String(length=32), nullable=False),
        sa.Column("tag_key", sa.String(length=128), nullable=False),
        sa.Column("tag_value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["trail_id"], ["trails.trail_id"], name=op.f("fk_trail_tags_trail_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trail_id", "tag_key", name=op.f("pk_trail_tags")),
    )
    op.create_table(
        "audit_writers",
        sa.Column("writer", sa.String(length=64), nullable=False),
        sa.Column(
            "is_data", sa.Boolean(), nullable=False, comment="whether its rows are in audit_data_events"
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="of its newest row"),
        sa.Column("link", sa.LargeBinary(length=32), nullable=False, comment="of its newest batch"),
        sa.Column(
            "pruned_seq",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="its rows up to here were pruned",
        ),
        sa.Column(
            "pruned_link",
            sa.LargeBinary(length=32),
            nullable=True,
            comment="of the last batch that was pruned",
        ),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_audit_writers")),
        comment="the heads of the chains in these tables, moved in the transaction that adds rows",
    )
    op.add_column(
        "audit_data_events",
        sa.Column(
            "writer",
            sa.String(length=64),
            nullable=True,
            comment="whose chain the row is in; null: older than chains",
        ),
    )
    op.add_column(
        "audit_data_events",
        sa.Column(
            "seq",
            sa.BigInteger(),
            nullable=True,
            comment="place in the writer's chain: 1, 2, 3, without a gap",
        ),
    )
    op.add_column(
        "audit_data_events",
        sa.Column(
            "link",
            sa.LargeBinary(length=32),
            nullable=True,
            comment="of the last row of a batch; see audit/chain.py",
        ),
    )
    op.create_index("uq_audit_data_events_writer_seq", "audit_data_events", ["writer", "seq"], unique=True)
    op.add_column(
        "audit_events",
        sa.Column(
            "writer",
            sa.String(length=64),
            nullable=True,
            comment="whose chain the row is in; null: older than chains",
        ),
    )
    op.add_column(
        "audit_events",
        sa.Column(
            "seq",
            sa.BigInteger(),
            nullable=True,
            comment="place in the writer's chain: 1, 2, 3, without a gap",
        ),
    )
    op.add_column(
        "audit_events",
        sa.Column(
            "link",
            sa.LargeBinary(length=32),
            nullable=True,
            comment="of the last row of a batch; see audit/chain.py",
        ),
    )
    op.create_index("uq_audit_events_writer_seq", "audit_events", ["writer", "seq"], unique=True)
    op.add_column(
        "access_keys",
        sa.Column("last_use", sa.Text(), nullable=True, comment="folded in when the log is pruned"),
    )
