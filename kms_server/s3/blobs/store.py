"""What keeps sealed bytes, wherever that is."""

from collections.abc import Iterator
from typing import Protocol, Self


class BlobMissing(Exception):
    """There is no such blob, or it is shorter than what is asked of it."""


class StoreFull(Exception):
    """There is no room for more."""


class StoreUnavailable(Exception):
    """The store does not answer, or refuses; trying again may help."""


class BlobWriter(Protocol):
    """Takes the bytes of one new blob; used as a context manager, which throws away what was not finished."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            StoreFull: they do not fit.
        """

    def finish(self) -> None:
        """Make the blob durable. It is readable afterwards, and unsettled until `BlobStore.settle`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class BlobStore(Protocol):
    """Keeps blobs under ids that the caller chooses: 32 hexadecimal digits, never used twice.

    A blob is written before the transaction that makes it part of an object, and settled after. One that is unsettled
    and belongs to nothing is what a crash has left. Every method may raise StoreUnavailable.
    """

    def create(self, blob_id: str) -> BlobWriter:
        """Begin a blob; nobody sees it before it is finished."""

    def read(self, blob_id: str, first: int, count: int) -> bytes:
        """`count` bytes from offset `first` on.

        Raises:
            BlobMissing: the blob, or some of these bytes, are not there.
        """

    def size(self, blob_id: str) -> int:
        """Length in bytes.

        Raises:
            BlobMissing
        """

    def settle(self, blob_id: str) -> None:
        """Note that a committed transaction has made the blob part of an object or upload."""

    def delete(self, blob_id: str) -> None:
        """Remove a blob; one that is not there is no error."""

    def unsettled(self, older_than: float) -> Iterator[str]:
        """Ids of blobs that were finished or begun more than `older_than` seconds ago and may belong to nothing.

        Some of them may be settled, where the store cannot tell: the caller asks the index.
        """

    def listed(self, older_than: float) -> Iterator[str]:
        """Ids of all blobs that were finished or begun more than `older_than` seconds ago."""
