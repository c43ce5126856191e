"""Multipart uploads under way."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, insert, literal, select, update

from kms_server.storage import blob_ledger, objects
from kms_server.storage.blob_ledger import Discard
from kms_server.storage.buckets import BucketGone
from kms_server.storage.object_lists import within
from kms_server.storage.object_tables import buckets, uploads
from kms_server.storage.object_tables import parts as parts_table
from kms_server.storage.objects import Part, Version, columns, values_of
from kms_server.storage.old_materials import old_materials


class UploadGone(Exception):
    """The upload was completed or aborted in the meantime."""


class PartGone(Exception):
    """A part of the upload was replaced in the meantime."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload; most members go over to the version that completing it makes. See `objects.Version`."""

    upload_id: str
    bucket_id: str
    key: str
    object_id: str
    account: str
    initiator: str
    started_at: float
    storage_class: str
    kind: str
    key_arn: str | None
    material: str | None
    envelope: bytes
    headers: str
    tags: str | None
    checksum: str | None


_SELECT = select(*columns(uploads, Upload))
_PARTS = select(
    *[literal(None) if column.name == "inline" else column for column in columns(parts_table, Part)]
)
_IN_UPLOAD = parts_table.c.upload_id == bindparam("of_upload")
_ADD_PART = insert(parts_table)
_DISCARD_ONE = Discard(_IN_UPLOAD & (parts_table.c.number == bindparam("of_number")))
_DISCARD_BLOBS = Discard(parts_table.c.blob_id.in_(bindparam("blob_ids", expanding=True)))
_DISCARD_ALL = Discard(_IN_UPLOAD)


def add(connection: Connection, upload: Upload) -> None:
    """Store a new upload.

    Raises:
        BucketGone
    """
    bucket = select(buckets.c.bucket_id).where(buckets.c.bucket_id == upload.bucket_id)
    if connection.execute(bucket.with_for_update(read=True, key_share=True)).one_or_none() is None:
        raise BucketGone
    connection.execute(insert(uploads), values_of(upload))


def new_id(object_id: str) -> str:
    """The id of a new upload: that of the object it makes, which outlives it, and as many digits that nobody guesses."""
    return object_id + os.urandom(len(object_id) // 2).hex()


def completed(connection: Connection, bucket_id: str, key: str, upload_id: str) -> Version | None:
    """The version that completing an upload has made, by the id of the upload, which is gone."""
    return objects.of_object(connection, bucket_id, key, upload_id[: len(upload_id) // 2])


def get(connection: Connection, bucket_id: str, key: str, upload_id: str) -> Upload | None:
    """The upload of that id, if it is for that key."""
    found = _read(connection, _SELECT.where(_is(bucket_id, key, upload_id)))
    return found[0] if found else None


def lock(connection: Connection, bucket_id: str, key: str, upload_id: str) -> Upload | None:
    """The same; nobody else changes it or its parts until the transaction ends."""
    found = _read(connection, _SELECT.where(_is(bucket_id, key, upload_id)).with_for_update())
    return found[0] if found else None


def add_part(connection: Connection, upload: Upload, part: Part) -> None:
    """Store a part in place of the former one of that number.

    Raises:
        UploadGone
    """
    _lock(connection, upload)
    _DISCARD_ONE.run(connection, of_upload=upload.upload_id, of_number=part.number)
    connection.execute(_ADD_PART, values_of(part) | {"upload_id": upload.upload_id})


def parts(connection: Connection, upload_id: str, after: int, limit: int) -> list[Part]:
    """Up to `limit` parts with numbers higher than `after`, in the order of numbers and without their inline bytes."""
    statement = _PARTS.where(parts_table.c.upload_id == upload_id, parts_table.c.number > after)
    return [Part(*row) for row in connection.execute(statement.order_by(parts_table.c.number).limit(limit))]


def complete(connection: Connection, upload: Upload, version: Version, chosen: Sequence[Part]) -> Version:
    """Make a version of the chosen parts; the upload goes, and its other parts with it. See `objects.add`.

    Raises:
        BucketGone, UploadGone, PartGone
    """
    _lock(connection, upload)
    own = parts_table.c.upload_id == upload.upload_id
    uploaded = set(connection.execute(select(parts_table.c.blob_id).where(own)).scalars())
    named = {part.blob_id for part in chosen}
    if not named <= uploaded:
        raise PartGone
    for batch in blob_ledger.batches(uploaded - named):
        _DISCARD_BLOBS.run(connection, blob_ids=batch)
    stored = objects.add(connection, version, ())
    connection.execute(update(parts_table).where(own).values(version=stored.number, upload_id=None))
    connection.execute(delete(uploads).where(uploads.c.upload_id == upload.upload_id))
    return stored


def abort(connection: Connection, upload: Upload) -> None:
    """Remove an upload and its parts.

    Raises:
        UploadGone
    """
    _lock(connection, upload)
    _DISCARD_ALL.run(connection, of_upload=upload.upload_id)
    connection.execute(delete(uploads).where(uploads.c.upload_id == upload.upload_id))


def of_bucket(
    connection: Connection,
    bucket_id: str,
    prefix: bytes,
    after_key: bytes | None,
    after_upload: str | None,
    limit: int,
) -> list[Upload]:
    """Up to `limit` uploads for keys that begin with `prefix`, by key and upload id.

    They sort after the upload `after_upload` for `after_key`, or after all those for `after_key`.
    """
    ordered = _SELECT.where(uploads.c.bucket_id == bucket_id).order_by(
        uploads.c.object_key, uploads.c.upload_id
    )
    found: list[Upload] = []
    if after_key is not None and after_upload is not None and after_key.startswith(prefix):
        later = (uploads.c.object_key == after_key) & (uploads.c.upload_id > after_upload)
        found = _read(connection, ordered.where(later).limit(limit))
    if len(found) < limit:
        rest = ordered.where(within(uploads.c.object_key, prefix, after_key))
        found += _read(connection, rest.limit(limit - len(found)))
    return found


def stale(connection: Connection, before: float, limit: int) -> list[Upload]:
    """Up to `limit` uploads that were started before a time, the oldest first."""
    statement = _SELECT.where(uploads.c.started_at < before).order_by(uploads.c.started_at)
    return _read(connection, statement.limit(limit))


def under_old_master(
    connection: Connection, current: Collection[str], limit: int, after: tuple[str, str] = ("", "")
) -> list[Upload]:
    """Up to `limit` uploads with a key under a backing key of the SSE-S3 master that is not among the current ones.

    They come by backing key and upload id; those up to the pair `after` are left out.
    """
    found: list[Upload] = []
    for material in old_materials(connection, uploads.c.material, current, after[0]):
        least = after[1] if material == after[0] else ""
        statement = _SELECT.where(uploads.c.material == material, uploads.c.upload_id > least)
        found += _read(connection, statement.order_by(uploads.c.upload_id).limit(limit - len(found)))
        if len(found) == limit:
            break
    return found


def replace_envelope(connection: Connection, upload: Upload, **fields: Any) -> bool:  # noqa: ANN401
    """Set columns of an upload whose envelope is still the one given; False when it is another, or gone."""
    same = (uploads.c.upload_id == upload.upload_id) & (uploads.c.envelope == upload.envelope)
    return connection.execute(update(uploads).where(same).values(**fields)).rowcount > 0


def _lock(connection: Connection, upload: Upload) -> None:
    own = select(uploads.c.upload_id).where(uploads.c.upload_id == upload.upload_id)
    if connection.execute(own.with_for_update()).one_or_none() is None:
        raise UploadGone


def _is(bucket_id: str, key: str, upload_id: str) -> ColumnElement[bool]:
    same_key = (uploads.c.bucket_id == bucket_id) & (uploads.c.object_key == key.encode())
    return same_key & (uploads.c.upload_id == upload_id)


def _read(connection: Connection, statement: Select[Any]) -> list[Upload]:
    return [_upload(row) for row in connection.execute(statement)]


def _upload(row: Sequence[Any]) -> Upload:
    upload_id, bucket_id, key, *others = row
    return Upload(upload_id, bucket_id, key.decode(), *others)
