"""What the SSE-S3 master wraps, under its current backing key again: each master rotates every 30 days.

That are the keys in the envelopes of versions and uploads, and sealed ETags. Manifests that are under the master, those of
SSE-C objects whose key did not come when they were completed, stay under the backing key of that day.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.encryption.types import Target
from kms_server.s3.errors import S3Error
from kms_server.s3.reading import envelope_of, target_of
from kms_server.storage import buckets, object_upkeep, uploads
from kms_server.storage.buckets import Bucket
from kms_server.storage.database import Database
from kms_server.storage.object_upkeep import BEGINNING, Position
from kms_server.storage.objects import Version
from kms_server.storage.uploads import Upload

_BATCH = 25


class Rewrapped(NamedTuple):
    """What became of a batch: how many were `seen`, and those whose keys did not open, as pairs of bucket and key."""

    seen: int
    failed: Sequence[tuple[str, str]]


class Rewrapping:
    """Any number of processes may rewrap at once: an envelope that another one replaced stays as it is."""

    def __init__(self, database: Database, encryption: Encryption) -> None:
        self._database = database
        self._encryption = encryption

    def count(self) -> int:
        """How many versions are under former backing keys."""
        current = self._encryption.master.materials()
        with self._database.read() as connection:
            return object_upkeep.count_under_old_master(connection, current)

    def run(self) -> Iterator[Rewrapped]:
        """Go once over all that is under former backing keys, in batches of one short transaction each."""
        current = self._encryption.master.materials()
        yield from self._versions(current)
        yield from self._uploads(current)

    def _versions(self, current: frozenset[str]) -> Iterator[Rewrapped]:
        after = BEGINNING
        while True:
            with self._database.read() as connection:
                batch = object_upkeep.under_old_master(connection, current, _BATCH, after)
                held = _buckets(connection, batch)
            if not batch:
                return
            after = Position(batch[-1].material or "", batch[-1].number)
            fresh, failed = {}, []
            for version in batch:
                bucket = held[version.bucket_id]
                try:
                    fresh[version.number] = self._fresh(bucket, version)
                except S3Error:
                    failed.append((bucket.name, version.key))
            self._replace([one for one in batch if one.number in fresh], fresh)
            yield Rewrapped(len(batch), failed)

    def _fresh(self, bucket: Bucket, version: Version) -> dict[str, Any]:
        """The columns of a version that change."""
        encryption = self._encryption
        envelope = encryption.rewrap_master(envelope_of(version), target_of(bucket, version))
        fresh = {"envelope": envelopes.encode(envelope), "material": envelope.material}
        if version.sealed_etag is None:
            return fresh
        [etag] = encryption.open_etags(bucket.region, [version])
        sealed = encryption.seal_etag(bucket.region, bucket.bucket_id, version.object_id, etag)
        return fresh | {"sealed_etag": sealed}

    def _replace(self, batch: Sequence[Version], fresh: dict[int, dict[str, Any]]) -> None:
        with self._database.index() as connection:
            free = object_upkeep.free(connection, fresh.keys())
            for version in batch:
                if version.number in free:
                    object_upkeep.replace_envelope(connection, version, **fresh[version.number])

    def _uploads(self, current: frozenset[str]) -> Iterator[Rewrapped]:
        after = "", ""
        while True:
            with self._database.read() as connection:
                batch = uploads.under_old_master(connection, current, _BATCH, after)
                held = _buckets(connection, batch)
            if not batch:
                return
            after = batch[-1].material or "", batch[-1].upload_id
            failed = []
            for upload in batch:
                bucket = held[upload.bucket_id]
                try:
                    self._rewrap_upload(bucket, upload)
                except S3Error:
                    failed.append((bucket.name, upload.key))
            yield Rewrapped(len(batch), failed)

    def _rewrap_upload(self, bucket: Bucket, upload: Upload) -> None:
        target = Target(bucket.name, bucket.bucket_id, bucket.region, upload.key, upload.object_id)
        envelope = self._encryption.rewrap_master(envelopes.decode(upload.envelope), target)
        fresh = {"envelope": envelopes.encode(envelope), "material": envelope.material}
        with self._database.index() as connection:
            uploads.replace_envelope(connection, upload, **fresh)


def _buckets(connection: Connection, batch: Sequence[Version] | Sequence[Upload]) -> dict[str, Bucket]:
    """The buckets of a batch, by id; a bucket with versions or uploads is there."""
    found = (buckets.by_id(connection, bucket_id) for bucket_id in {one.bucket_id for one in batch})
    return {bucket.bucket_id: bucket for bucket in found if bucket is not None}
