"""Buckets, objects, their versions and parts, and multipart uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BYTEWISE = sa.String(length=256).with_variant(sa.String(length=256, collation="C"), "postgresql")
_KEY = sa.LargeBinary(length=1024)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_buckets()
    _create_objects()
    _create_object_versions()
    _create_uploads()
    _create_parts()
    _create_doomed_blobs()


def _create_buckets() -> None:
    op.create_table(
        "buckets",
        sa.Column("bucket_id", sa.String(length=32), nullable=False),
        sa.Column("name", _BYTEWISE, nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("versioning", sa.String(length=16), nullable=False, comment="empty: it was never set"),
        sa.Column("encryption", sa.Text(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("public_access", sa.Text(), nullable=True),
        sa.Column("ownership", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.CheckConstraint("versioning IN ('', 'Enabled', 'Suspended')", name=op.f("ck_buckets_versioning")),
        sa.PrimaryKeyConstraint("bucket_id", name=op.f("pk_buckets")),
        sa.UniqueConstraint("name", name=op.f("uq_buckets_name")),
    )
    op.create_index("ix_buckets_account", "buckets", ["account", "name"])


def _create_objects() -> None:
    op.create_table(
        "objects",
        sa.Column("bucket_id", sa.String(length=32), nullable=False),
        sa.Column("object_key", _KEY, nullable=False),
        sa.Column("current", _NUMBER, nullable=False, comment="number of the newest version"),
        sa.Column("is_marker", sa.Boolean(), nullable=False, comment="whether that is a delete marker"),
        sa.ForeignKeyConstraint(["bucket_id"], ["buckets.bucket_id"], name=op.f("fk_objects_bucket_id")),
        sa.PrimaryKeyConstraint("bucket_id", "object_key", name=op.f("pk_objects")),
        comment="one row per key; whoever changes the key's versions holds it locked",
    )
    op.create_index(
        "ix_objects_listed",
        "objects",
        ["bucket_id", "object_key"],
        sqlite_where=sa.text("is_marker = 0"),
        postgresql_where=sa.text("NOT is_marker"),
    )


def _create_object_versions() -> None:
    op.create_table(
        "object_versions",
        sa.Column(
            "number", _NUMBER, nullable=False, comment="of a key's versions the newest has the highest"
        ),
        sa.Column("bucket_id", sa.String(length=32), nullable=False),
        sa.Column("object_key", _KEY, nullable=False),
        sa.Column(
            "version_id", sa.String(length=64), nullable=False, comment="'null' outside versioned buckets"
        ),
        sa.Column("object_id", sa.String(length=32), nullable=False, comment="what envelopes are bound to"),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("is_marker", sa.Boolean(), nullable=False),
        sa.Column("modified_at", sa.Double(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column(
            "etag", sa.String(length=64), nullable=True, comment="null: it is sealed, or this is a marker"
        ),
        sa.Column("sealed_etag", sa.LargeBinary(), nullable=True),
        sa.Column("storage_class", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="of encryption"),
        sa.Column("key_arn", sa.Text(), nullable=True),
        sa.Column(
            "material", sa.String(length=64), nullable=True, comment="backing key of the SSE-S3 master"
        ),
        sa.Column("headers", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("tags", sa.Text(), nullable=True, comment="JSON object"),
        sa.Column("checksum", sa.String(length=64), nullable=True, comment="algorithm and type"),
        sa.Column("part_count", sa.Integer(), nullable=True, comment="null: no multipart upload made it"),
        sa.Column(
            "restored_from", sa.Double(), nullable=True, comment="when a restored copy can be read first"
        ),
        sa.Column("restored_until", sa.Double(), nullable=True),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column(
            "manifest",
            sa.LargeBinary(),
            nullable=False,
            comment="last: it may be long, and listings pass over it",
        ),
        sa.CheckConstraint("etag IS NULL OR sealed_etag IS NULL", name=op.f("ck_object_versions_etag")),
        sa.CheckConstraint(
            "is_marker = (etag IS NULL AND sealed_etag IS NULL)", name=op.f("ck_object_versions_marker")
        ),
        sa.CheckConstraint("size >= 0", name=op.f("ck_object_versions_size")),
        sa.ForeignKeyConstraint(
            ["bucket_id", "object_key"],
            ["objects.bucket_id", "objects.object_key"],
            name=op.f("fk_object_versions_bucket_id_object_key"),
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_object_versions")),
        sa.UniqueConstraint(
            "bucket_id",
            "object_key",
            "version_id",
            name=op.f("uq_object_versions_bucket_id_object_key_version_id"),
        ),
        sa.UniqueConstraint("object_id", name=op.f("uq_object_versions_object_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_object_versions_material",
        "object_versions",
        ["material", "number"],
        sqlite_where=sa.text("material IS NOT NULL"),
        postgresql_where=sa.text("material IS NOT NULL"),
    )
    op.create_index(
        "ix_object_versions_age", "object_versions", ["bucket_id", "object_key", sa.text("number DESC")]
    )


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("upload_id", sa.String(length=128), nullable=False),
        sa.Column("bucket_id", sa.String(length=32), nullable=False),
        sa.Column("object_key", _KEY, nullable=False),
        sa.Column("object_id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("initiator", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("storage_class", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="of encryption"),
        sa.Column("key_arn", sa.Text(), nullable=True),
        sa.Column(
            "material", sa.String(length=64), nullable=True, comment="backing key of the SSE-S3 master"
        ),
        sa.Column("headers", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("tags", sa.Text(), nullable=True, comment="JSON object"),
        sa.Column("checksum", sa.String(length=64), nullable=True, comment="algorithm and type"),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bucket_id"], ["buckets.bucket_id"], name=op.f("fk_uploads_bucket_id")),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("object_id", name=op.f("uq_uploads_object_id")),
    )
    op.create_index("ix_uploads_bucket_id", "uploads", ["bucket_id", "object_key", "upload_id"])
    op.create_index(
        "ix_uploads_material",
        "uploads",
        ["material", "upload_id"],
        sqlite_where=sa.text("material IS NOT NULL"),
        postgresql_where=sa.text("material IS NOT NULL"),
    )
    op.create_index(op.f("ix_uploads_started_at"), "uploads", ["started_at"])


def _create_parts() -> None:
    op.create_table(
        "parts",
        sa.Column("blob_id", sa.String(length=32), nullable=False),
        sa.Column("version", _NUMBER, nullable=True),
        sa.Column("upload_id", sa.String(length=128), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="of the plaintext"),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("modified_at", sa.Double(), nullable=False),
        sa.Column("etag", sa.String(length=64), nullable=True),
        sa.Column("details", sa.LargeBinary(), nullable=True, comment="sealed"),
        sa.Column(
            "inline", sa.LargeBinary(), nullable=True, comment="the sealed bytes, where there is no blob"
        ),
        sa.CheckConstraint("(version IS NULL) <> (upload_id IS NULL)", name=op.f("ck_parts_owner")),
        sa.CheckConstraint("number BETWEEN 1 AND 10000", name=op.f("ck_parts_number")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_parts_size")),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.upload_id"], name=op.f("fk_parts_upload_id")),
        sa.ForeignKeyConstraint(["version"], ["object_versions.number"], name=op.f("fk_parts_version")),
        sa.PrimaryKeyConstraint("blob_id", name=op.f("pk_parts")),
        sa.UniqueConstraint("upload_id", "number", name=op.f("uq_parts_upload_id_number")),
        sa.UniqueConstraint("version", "number", name=op.f("uq_parts_version_number")),
    )


def _create_doomed_blobs() -> None:
    op.create_table(
        "doomed_blobs",
        sa.Column("blob_id", sa.String(length=32), nullable=False),
        sa.Column("doomed_at", sa.Double(), nullable=False, comment="by the real clock"),
        sa.PrimaryKeyConstraint("blob_id", name=op.f("pk_doomed_blobs")),
        comment="blobs that no part has any more and that are yet to be deleted",
    )
    op.create_index(op.f("ix_doomed_blobs_doomed_at"), "doomed_blobs", ["doomed_at"])
