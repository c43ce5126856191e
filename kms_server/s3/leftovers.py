"""Finishing what requests and crashes have left in the blob store."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from kms_server.s3.blobs.store import BlobStore
from kms_server.storage import blob_ledger
from kms_server.storage.database import Database

_BATCH = 500


class Swept(NamedTuple):
    """How many blobs were deleted because their part is gone, because they never had one, and settled."""

    doomed: int
    unknown: int
    settled: int


class Leftovers:
    """Any number of processes may sweep at once: each step may be done again, and does nothing then."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    def sweep(self, older_than: float, *, doomed_for: float = 0.0) -> Swept:
        """Delete what belongs to nothing, and settle what does.

        A blob that is unsettled counts as left when nobody wrote to it for `older_than` seconds: longer than any request
        takes between its last bytes and its commit. What is doomed stays for `doomed_for` seconds, for those who still
        read it.

        Raises:
            StoreUnavailable
        """
        doomed = sum(self._delete_doomed(doomed_for))
        unknown = settled = 0
        unsettled = self._blobs.unsettled(older_than)
        while batch := list(islice(unsettled, _BATCH)):
            with self._database.read() as connection:
                strangers = blob_ledger.unknown(connection, batch)
            for blob_id in batch:
                finish = self._blobs.delete if blob_id in strangers else self._blobs.settle
                finish(blob_id)
            unknown += len(strangers)
            settled += len(batch) - len(strangers)
        return Swept(doomed, unknown, settled)

    def _delete_doomed(self, doomed_for: float) -> Iterator[int]:
        while True:
            with self._database.read() as connection:
                batch = blob_ledger.doomed(connection, _BATCH, older_than=doomed_for)
            if not batch:
                return
            for blob_id in batch:
                self._blobs.delete(blob_id)
            with self._database.index() as connection:
                blob_ledger.forget(connection, batch)
            yield len(batch)
