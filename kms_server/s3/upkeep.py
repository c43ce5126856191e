"""What the S3 layer does by itself, in steps that are short and may be done by several at once."""

import logging
import time
from collections.abc import Iterator

from sqlalchemy import Connection

from kms_server.audit.record import s3_service_event
from kms_server.clock import DAY
from kms_server.s3.call import S3Services
from kms_server.s3.leftovers import Leftovers
from kms_server.s3.rewrapping import Rewrapping
from kms_server.storage import buckets, uploads
from kms_server.storage.uploads import Upload, UploadGone

_LOG = logging.getLogger(__name__)
_BATCH = 50


class Due:
    """Something that is to be done now, again after `first` seconds, and then every `interval` seconds of real time."""

    def __init__(self, interval: float, first: float | None = None) -> None:
        self._interval = interval
        self._coming = iter((interval if first is None else first,))
        self._next = 0.0

    def take(self) -> bool:
        """Whether it is due; then it counts as done, so that what fails is tried again in its turn."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + next(self._coming, self._interval)
        return True


class Upkeep:
    """Deletes what belongs to nothing, aborts old uploads, and keeps all under the current SSE-S3 master.

    `abort_uploads_after` is in days of the service's clock; 0: never. The methods are chores: each yields after every step,
    and does nothing where nothing is due.
    """

    def __init__(self, services: S3Services, abort_uploads_after: int) -> None:
        self._shared = services.shared
        self._encryption = services.encryption
        self._leftovers = Leftovers(services.shared.database, services.blobs)
        self._rewrapping = Rewrapping(services.shared.database, services.encryption)
        self._abort_after = abort_uploads_after * DAY
        limits = services.shared.limits
        self._doomed_due = Due(limits.upkeep_interval)
        # What a crash has left is old enough for the second time.
        self._unsettled_due = Due(limits.blob_search_interval, limits.unsettled_grace)
        self._uploads_due = Due(limits.upkeep_interval)
        self._rewrapping_due = Due(limits.rewrap_interval)
        self._rewrapped: frozenset[str] = frozenset()

    def delete_doomed(self) -> Iterator[object]:
        """Delete blobs whose parts are gone."""
        if self._doomed_due.take():
            yield from self._leftovers.delete_doomed(self._shared.limits.doomed_grace)

    def settle(self) -> Iterator[object]:
        """Look for blobs that a crash, or a request that failed, has left."""
        if not self._unsettled_due.take():
            return
        for swept in self._leftovers.settle(self._shared.limits.unsettled_grace):
            if swept.unknown:
                _LOG.info("deleted %d blobs that belong to nothing", swept.unknown)
            yield swept

    def abort_uploads(self) -> Iterator[object]:
        """Abort multipart uploads that were begun too long ago (S3 AbortIncompleteMultipartUpload)."""
        if not self._abort_after or not self._uploads_due.take():
            return
        before = self._shared.clock.now() - self._abort_after
        while True:
            with self._shared.database.read() as connection:
                batch = uploads.stale(connection, before, _BATCH)
            if not batch:
                return
            for upload in batch:
                try:
                    with self._shared.database.index() as connection:
                        uploads.abort(connection, upload)
                        self._record_abort(connection, upload)
                except UploadGone:
                    continue
                yield upload
            _LOG.info("aborted %d multipart uploads that were begun too long ago", len(batch))

    def rewrap(self) -> Iterator[object]:
        """Rewrap what is under former backing keys of the SSE-S3 master: when one was rotated, and now and then."""
        self._shared.keyring.refresh(may_block=True)
        current = self._encryption.master.materials()
        if not self._rewrapping_due.take() and current == self._rewrapped:
            return
        for batch in self._rewrapping.run():
            for bucket, key in batch.failed:
                _LOG.error("the keys of %s in the bucket %s do not open: not rewrapped", repr(key), bucket)
            yield batch
        self._rewrapped = current

    def _record_abort(self, connection: Connection, upload: Upload) -> None:
        """Record what a lifecycle rule did: CloudTrail has nothing of it, here nothing that is stored goes unseen."""
        bucket = buckets.by_id(connection, upload.bucket_id)
        assert bucket is not None  # noqa: S101 - a foreign key holds it
        resources = (("AWS::S3::Object", f"{bucket.arn}/{upload.key}"), ("AWS::S3::Bucket", bucket.arn))
        details = {"bucketName": bucket.name, "key": upload.key, "uploadId": upload.upload_id}
        event = s3_service_event(
            "AbortMultipartUpload",
            bucket.account,
            bucket.region,
            resources,
            self._shared.clock.now(),
            details,
        )
        self._shared.ledger.add(connection, event)
