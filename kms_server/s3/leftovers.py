"""Finishing what requests and crashes have left in the blob store."""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

from kms_server.s3.blobs.store import BlobStore
from kms_server.storage import blob_ledger
from kms_server.storage.database import Database

_BATCH = 100  # so many calls of a remote store are one step


class Swept(NamedTuple):
    """How many blobs were deleted because their part is gone, because they never had one, and settled."""

    doomed: int = 0
    unknown: int = 0
    settled: int = 0

    def plus(self, more: "Swept") -> "Swept":
        """The sums of both."""
        return Swept(*map(sum, zip(self, more, strict=True)))


class Leftovers:
    """Any number of processes may sweep at once: each step may be done again, and does nothing then.

    All that it does comes in short steps, which it yields.

    Raises:
        StoreUnavailable
    """

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    def sweep(self, older_than: float, *, doomed_for: float = 0.0) -> Iterator[Swept]:
        """Both `delete_doomed` and `settle`."""
        yield from self.delete_doomed(doomed_for)
        yield from self.settle(older_than)

    def delete_doomed(self, doomed_for: float) -> Iterator[Swept]:
        """Delete blobs that lost their part `doomed_for` seconds ago: longer than anybody reads them."""
        while True:
            with self._database.read() as connection:
                batch = blob_ledger.doomed(connection, _BATCH, older_than=doomed_for)
            if not batch:
                return
            for blob_id in batch:
                self._blobs.delete(blob_id)
            with self._database.index() as connection:
                blob_ledger.forget(connection, batch)
            yield Swept(doomed=len(batch))

    def settle(self, older_than: float) -> Iterator[Swept]:
        """Settle blobs that belong to something, and delete those that belong to nothing.

        Only those to which nobody wrote for `older_than` seconds: longer than any request takes between its last bytes
        and its commit.
        """
        unsettled = self._blobs.unsettled(older_than)
        while batch := list(islice(unsettled, _BATCH)):
            strangers = self.strangers(batch)
            for blob_id in batch:
                finish = self._blobs.delete if blob_id in strangers else self._blobs.settle
                finish(blob_id)
            yield Swept(unknown=len(strangers), settled=len(batch) - len(strangers))

    def strangers(self, blob_ids: Collection[str]) -> set[str]:
        """Those of the blobs that belong to nothing."""
        with self._database.read() as connection:
            return blob_ledger.unknown(connection, blob_ids)

    def count_strangers(self, older_than: float) -> Iterator[int]:
        """How many of all blobs that are older than so many seconds belong to nothing: a number for each batch of them."""
        listed = self._blobs.listed(older_than)
        while batch := list(islice(listed, _BATCH)):
            yield len(self.strangers(batch))
