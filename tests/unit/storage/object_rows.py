"""Buckets, objects and uploads to store."""

from typing import Any
from uuid import uuid4

from kms_server.storage import buckets
from kms_server.storage.buckets import Bucket
from kms_server.storage.database import Database
from kms_server.storage.objects import NULL, Part, Version
from kms_server.storage.uploads import Upload
from tests.unit.storage.storage_rows import ACCOUNT, REGION


def bucket(name: str = "photos", **changes: Any) -> Bucket:
    """A bucket."""
    plain: dict[str, Any] = {
        "name": name, "bucket_id": uuid4().hex, "account": ACCOUNT, "region": REGION, "created_at": 1.5,
    }  # fmt: skip
    return Bucket(**plain | changes)


def stored_bucket(database: Database, name: str = "photos", **changes: Any) -> Bucket:
    """A bucket, stored."""
    made = bucket(name, **changes)
    with database.write() as tx:
        assert buckets.add(tx, made)
    return made


def part(number: int = 1, **changes: Any) -> Part:
    """An upload of bytes into a blob."""
    plain: dict[str, Any] = {
        "blob_id": uuid4().hex, "number": number, "size": 5, "header": b"\x00h", "inline": None, "modified_at": 2.5,
    }  # fmt: skip
    return Part(**plain | changes)


def version(held: Bucket, key: str = "a", version_id: str = NULL, **changes: Any) -> Version:
    """A version that is not stored yet."""
    plain: dict[str, Any] = {
        "number": 0, "bucket_id": held.bucket_id, "key": key, "version_id": version_id, "object_id": uuid4().hex,
        "account": ACCOUNT, "is_marker": False, "modified_at": 3.5, "size": 5, "etag": uuid4().hex, "kind": "aws:kms",
        "envelope": b"\x00envelope", "manifest": b"\x00manifest",
    }  # fmt: skip
    return Version(**plain | changes)


def marker(held: Bucket, key: str = "a", version_id: str = NULL) -> Version:
    """A delete marker."""
    return version(
        held, key, version_id, is_marker=True, etag=None, size=0, kind="", envelope=b"", manifest=b""
    )


def upload(held: Bucket, key: str = "a", **changes: Any) -> Upload:
    """A multipart upload."""
    plain: dict[str, Any] = {
        "upload_id": uuid4().hex, "bucket_id": held.bucket_id, "key": key, "object_id": uuid4().hex, "account": ACCOUNT,
        "initiator": "arn:aws:iam::111122223333:user/mira", "started_at": 4.5, "storage_class": "STANDARD",
        "kind": "aws:kms", "key_arn": "arn:k", "material": None, "envelope": b"\x00e", "headers": "{}", "tags": None,
        "checksum": None,
    }  # fmt: skip
    return Upload(**plain | changes)
