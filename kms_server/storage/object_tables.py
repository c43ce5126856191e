"""The tables of buckets, objects and multipart uploads; `tables` has all others.

Object keys are the bytes of their UTF-8, which both databases order bytewise.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    desc,
    text,
)

from kms_server.storage.schema import BYTEWISE, metadata

_KEY = LargeBinary(1_024)
# Only a column of exactly this type numbers its own rows on SQLite.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

buckets = Table(
    "buckets",
    metadata,
    Column("bucket_id", String(32), primary_key=True),
    Column("name", BYTEWISE, nullable=False, unique=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("versioning", String(16), nullable=False, comment="empty: it was never set"),
    Column("encryption", Text, nullable=True),
    Column("policy", Text, nullable=True),
    Column("public_access", Text, nullable=True),
    Column("ownership", Text, nullable=True),
    Column("tags", Text, nullable=True),
    CheckConstraint("versioning IN ('', 'Enabled', 'Suspended')", name="versioning"),
    Index("ix_buckets_account", "account", "name"),
)

objects = Table(
    "objects",
    metadata,
    Column("bucket_id", String(32), ForeignKey("buckets.bucket_id"), primary_key=True),
    Column("object_key", _KEY, primary_key=True),
    Column("current", _NUMBER, nullable=False, comment="number of the newest version"),
    Column("is_marker", Boolean, nullable=False, comment="whether that is a delete marker"),
    # Keys that are deleted, and have old versions, cost a listing nothing.
    Index("ix_objects_listed", "bucket_id", "object_key", sqlite_where=text("is_marker = 0"),
          postgresql_where=text("NOT is_marker")),
    comment="one row per key; whoever changes the key's versions holds it locked",
)  # fmt: skip

object_versions = Table(
    "object_versions",
    metadata,
    Column("number", _NUMBER, primary_key=True, comment="of a key's versions the newest has the highest"),
    Column("bucket_id", String(32), nullable=False),
    Column("object_key", _KEY, nullable=False),
    Column("version_id", String(64), nullable=False, comment="'null' outside versioned buckets"),
    Column("object_id", String(32), nullable=False, unique=True, comment="what envelopes are bound to"),
    Column("account", String(12), nullable=False),
    Column("is_marker", Boolean, nullable=False),
    Column("modified_at", Double, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("etag", String(64), nullable=True, comment="null: it is sealed, or this is a marker"),
    Column("sealed_etag", LargeBinary, nullable=True),
    Column("storage_class", String(32), nullable=False),
    Column("kind", String(16), nullable=False, comment="of encryption"),
    Column("key_arn", Text, nullable=True),
    Column("material", String(64), nullable=True, comment="backing key of the SSE-S3 master"),
    Column("headers", Text, nullable=False, comment="JSON object"),
    Column("tags", Text, nullable=True, comment="JSON object"),
    Column("checksum", String(64), nullable=True, comment="algorithm and type"),
    Column("part_count", Integer, nullable=True, comment="null: no multipart upload made it"),
    Column("restored_from", Double, nullable=True, comment="when a restored copy can be read first"),
    Column("restored_until", Double, nullable=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("manifest", LargeBinary, nullable=False, comment="last: it may be long, and listings pass over it"),
    ForeignKeyConstraint(["bucket_id", "object_key"], ["objects.bucket_id", "objects.object_key"]),
    # Of which there is one null version per key at most.
    UniqueConstraint("bucket_id", "object_key", "version_id"),
    CheckConstraint("size >= 0", name="size"),
    CheckConstraint("etag IS NULL OR sealed_etag IS NULL", name="etag"),
    CheckConstraint("is_marker = (etag IS NULL AND sealed_etag IS NULL)", name="marker"),
    Index("ix_object_versions_age", "bucket_id", "object_key", desc("number")),
    Index("ix_object_versions_material", "material", "number", sqlite_where=text("material IS NOT NULL"),
          postgresql_where=text("material IS NOT NULL")),
    sqlite_autoincrement=True,
)  # fmt: skip

uploads = Table(
    "uploads",
    metadata,
    Column("upload_id", String(128), primary_key=True),
    Column("bucket_id", String(32), ForeignKey("buckets.bucket_id"), nullable=False),
    Column("object_key", _KEY, nullable=False),
    Column("object_id", String(32), nullable=False, unique=True),
    Column("account", String(12), nullable=False),
    Column("initiator", Text, nullable=False),
    Column("started_at", Double, nullable=False, index=True),
    Column("storage_class", String(32), nullable=False),
    Column("kind", String(16), nullable=False, comment="of encryption"),
    Column("key_arn", Text, nullable=True),
    Column("material", String(64), nullable=True, comment="backing key of the SSE-S3 master"),
    Column("headers", Text, nullable=False, comment="JSON object"),
    Column("tags", Text, nullable=True, comment="JSON object"),
    Column("checksum", String(64), nullable=True, comment="algorithm and type"),
    Column("envelope", LargeBinary, nullable=False),
    Index("ix_uploads_bucket_id", "bucket_id", "object_key", "upload_id"),
    Index("ix_uploads_material", "material", "upload_id", sqlite_where=text("material IS NOT NULL"),
          postgresql_where=text("material IS NOT NULL")),
)  # fmt: skip

parts = Table(
    "parts",
    metadata,
    Column("blob_id", String(32), primary_key=True),
    Column("version", _NUMBER, ForeignKey("object_versions.number"), nullable=True),
    Column("upload_id", String(128), ForeignKey("uploads.upload_id"), nullable=True),
    Column("number", Integer, nullable=False),
    Column("size", BigInteger, nullable=False, comment="of the plaintext"),
    Column("header", LargeBinary, nullable=False),
    Column("modified_at", Double, nullable=False),
    Column("etag", String(64), nullable=True),
    Column("details", LargeBinary, nullable=True, comment="sealed"),
    Column("inline", LargeBinary, nullable=True, comment="the sealed bytes, where there is no blob"),
    UniqueConstraint("version", "number"),
    UniqueConstraint("upload_id", "number"),
    CheckConstraint("(version IS NULL) <> (upload_id IS NULL)", name="owner"),
    CheckConstraint("number BETWEEN 1 AND 10000", name="number"),
    CheckConstraint("size >= 0", name="size"),
)

doomed_blobs = Table(
    "doomed_blobs",
    metadata,
    Column("blob_id", String(32), primary_key=True),
    Column("doomed_at", Double, nullable=False, index=True, comment="by the real clock"),
    comment="blobs that no part has any more and that are yet to be deleted",
)
