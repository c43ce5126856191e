"""The tables of trails, of what they deliver, and of what proves the audit log; `tables` has the log itself."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from kms_server.storage.root_tables import root_prefix
from kms_server.storage.schema import metadata

# Only a column of exactly this type numbers its own rows on SQLite.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

trails = Table(
    "trails",
    metadata,
    Column("trail_id", String(32), primary_key=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False, comment="the home Region"),
    Column("name", String(128), nullable=False),
    Column("bucket", String(64), nullable=False),
    Column("prefix", String(200), nullable=False, comment="empty: none"),
    Column("kms_key", String(2048), nullable=True, comment="the ARN of the key that delivered files are under"),
    Column("global_events", Boolean, nullable=False),
    Column("multi_region", Boolean, nullable=False),
    Column("validation", Boolean, nullable=False, comment="whether digests are delivered"),
    Column("selectors", Text, nullable=True, comment="JSON; null: all management events"),
    Column("logging", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double, nullable=True),
    Column("stopped_at", Double, nullable=True),
    Column("deleted_at", Double, nullable=True, comment="kept until all that it recorded is delivered"),
    Column("attempted_at", Double, nullable=True, comment="the last delivery, of log files"),
    Column("delivered_at", Double, nullable=True),
    Column("delivery_error", Text, nullable=True, comment="null: the last attempt succeeded"),
    Column("digest_attempted_at", Double, nullable=True),
    Column("digest_delivered_at", Double, nullable=True),
    Column("digest_error", Text, nullable=True),
    Index("uq_trails_name", "account", "region", "name", unique=True,
          sqlite_where=text("deleted_at IS NULL"), postgresql_where=text("deleted_at IS NULL")),
)  # fmt: skip

trail_tags = Table(
    "trail_tags",
    metadata,
    Column("trail_id", String(32), ForeignKey("trails.trail_id", ondelete="CASCADE"), primary_key=True),
    Column("tag_key", String(128), primary_key=True),
    Column("tag_value", String(256), nullable=False),
)

audit_positions = Table(
    "audit_positions",
    metadata,
    Column("reader", String(64), primary_key=True, comment="the id of a trail, or what else follows the log"),
    Column("writer", String(64), primary_key=True),
    Column(
        "seq", BigInteger, nullable=False, comment="the newest row of the writer that the reader has taken"
    ),
)

trail_files = Table(
    "trail_files",
    metadata,
    Column("file_id", _NUMBER, primary_key=True),
    Column("trail_id", String(32), ForeignKey("trails.trail_id", ondelete="CASCADE"), nullable=False),
    Column("region", String(32), nullable=False),
    Column("bucket", String(64), nullable=False),
    Column("object_key", Text, nullable=False),
    Column("ranges", Text, nullable=False, comment="JSON: of each writer the first and the last row"),
    Column("selectors", Text, nullable=True, comment="those of the trail when the file was planned"),
    Column("planned_at", Double, nullable=False),
    Column("delivered_at", Double, nullable=True),
    Column("hash", String(64), nullable=True, comment="hexadecimal SHA-256 of what is in the file, uncompressed"),
    Column("oldest_event", Double, nullable=True),
    Column("newest_event", Double, nullable=True),
    Column("digest_end", Double, nullable=True, comment="of the digest that lists the file, or when it was delivered without one"),
    CheckConstraint("(delivered_at IS NULL) = (hash IS NULL)", name="hash"),
    CheckConstraint("delivered_at IS NOT NULL OR digest_end IS NULL", name="digest_end"),
    Index("ix_trail_files_pending", "trail_id", "file_id",
          sqlite_where=text("delivered_at IS NULL"), postgresql_where=text("delivered_at IS NULL")),
    Index("ix_trail_files_digest", "trail_id", "region", "digest_end"),
)  # fmt: skip

trail_digests = Table(
    "trail_digests",
    metadata,
    Column("trail_id", String(32), ForeignKey("trails.trail_id", ondelete="CASCADE"), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("ends_at", Double, primary_key=True),
    Column("starts_at", Double, nullable=False),
    Column("bucket", String(64), nullable=False),
    Column("object_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="uncompressed; empty once it is delivered"),
    Column("hash", String(64), nullable=False, comment="hexadecimal SHA-256 of the body"),
    Column("signature", Text, nullable=False, comment="hexadecimal"),
    Column("fingerprint", String(32), nullable=False, comment="of the key that signed it"),
    Column("final", Boolean, nullable=False, comment="whether the chain ends here"),
    Column("delivered_at", Double, nullable=True),
    CheckConstraint("starts_at < ends_at", name="window"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("fingerprint", String(32), primary_key=True, comment="hexadecimal MD5 of the public key"),
    Column("public_key", LargeBinary, nullable=False, comment="DER of PKCS #1"),
    Column("wrapped", LargeBinary, nullable=True, comment="the private key; null: erased after its time"),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("proof", LargeBinary(32), nullable=False, comment="tells our keys from any that was slipped in"),
    root_prefix("wrapped"),
    CheckConstraint("starts_at < ends_at", name="validity"),
)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Double, nullable=False),
    Column("body", Text, nullable=False, comment="JSON, as it was signed"),
    Column("fingerprint", String(32), nullable=False, comment="of the key that signed it"),
    Column("signature", LargeBinary, nullable=False),
)
