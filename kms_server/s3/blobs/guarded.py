"""The local blob store as a server uses it: it is known who waits for it, and the disk's reserve is left alone."""

from collections.abc import Iterator
from typing import Self

from kms_server.s3.blobs.store import BlobStore, BlobWriter, StoreFull
from kms_server.storage.reserve import Reserve
from kms_server.storage.waits import Waits

# Bytes a second that any disk can be expected to sync.
_LEAST_RATE = 10 * 2**20


class GuardedBlobs:
    """A `BlobStore` on the disk of this host."""

    def __init__(self, store: BlobStore, waits: Waits, reserve: Reserve) -> None:
        self._store = store
        self._waits = waits
        self._reserve = reserve

    def create(self, blob_id: str) -> "GuardedWriter":
        """Begin a blob.

        Raises:
            StoreFull
        """
        with self._waits.noted():
            return GuardedWriter(self._store.create(blob_id), self._waits, self._reserve)

    def read(self, blob_id: str, first: int, count: int) -> bytes:
        """Some bytes of a blob; see `BlobStore`."""
        with self._waits.noted():
            return self._store.read(blob_id, first, count)

    def size(self, blob_id: str) -> int:
        """Length in bytes; see `BlobStore`."""
        with self._waits.noted():
            return self._store.size(blob_id)

    def settle(self, blob_id: str) -> None:
        """Note that a blob belongs to something."""
        with self._waits.noted():
            self._store.settle(blob_id)

    def delete(self, blob_id: str) -> None:
        """Remove a blob."""
        with self._waits.noted():
            self._store.delete(blob_id)

    def unsettled(self, older_than: float) -> Iterator[str]:
        """Ids of blobs that may belong to nothing; see `BlobStore`."""
        return self._store.unsettled(older_than)

    def listed(self, older_than: float) -> Iterator[str]:
        """Ids of all blobs; see `BlobStore`."""
        return self._store.listed(older_than)


class GuardedWriter:
    """A `BlobWriter` on the disk of this host."""

    def __init__(self, writer: BlobWriter, waits: Waits, reserve: Reserve) -> None:
        self._writer = writer
        self._waits = waits
        self._reserve = reserve
        self._written = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            StoreFull: also where only the reserve is left.
        """
        if self._reserve.is_used():
            raise StoreFull
        self._written += len(data)
        with self._waits.noted():
            self._writer.write(data)

    def finish(self) -> None:
        """Make the blob durable; a large one may take long."""
        with self._waits.noted(self._written / _LEAST_RATE):
            self._writer.finish()

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        with self._waits.noted():
            self._writer.__exit__(*error)
