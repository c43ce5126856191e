"""Blobs as objects of an upstream store: S3, Google Cloud Storage or Azure. All that goes there is sealed.

A process must not use a store before it forks: the client's threads stay behind.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Queue
from threading import Thread
from typing import Self

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from kms_server.s3.blobs.store import BlobMissing, StoreUnavailable

# A blob of up to one chunk is one request. Of a longer one, memory holds a chunk being filled, those under way, and
# what waits in the queue: 40 MiB.
_CHUNK = 6 << 20
_UNDER_WAY = 4
_WAITING = 4
_PIECE = 1 << 20
_BLOB_ID = re.compile("[0-9a-f]{32}")


class RemoteBlobs:
    """A `BlobStore` in a bucket, or in what is below a prefix of it."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def create(self, blob_id: str) -> "RemoteWriter":
        """Begin a blob."""
        return RemoteWriter(self._store, blob_id)

    def read(self, blob_id: str, first: int, count: int) -> bytes:
        """Some bytes of a blob; see `BlobStore`.

        Raises:
            BlobMissing, StoreUnavailable
        """
        try:
            with _answering(blob_id):
                data = bytes(obstore.get_range(self._store, blob_id, start=first, length=count))
        except StoreUnavailable:
            # What a store says of a range behind the end is each one's own.
            if self.size(blob_id) > first:
                raise
            data = b""
        if len(data) < count:
            raise BlobMissing(blob_id)
        return data

    def size(self, blob_id: str) -> int:
        """Length in bytes.

        Raises:
            BlobMissing, StoreUnavailable
        """
        with _answering(blob_id):
            return obstore.head(self._store, blob_id)["size"]

    def settle(self, blob_id: str) -> None:
        """Nothing: all blobs are in one place."""

    def delete(self, blob_id: str) -> None:
        """Remove a blob.

        Raises:
            StoreUnavailable
        """
        with suppress(BlobMissing), _answering(blob_id):
            obstore.delete(self._store, blob_id)

    def unsettled(self, older_than: float) -> Iterator[str]:
        """Ids of all blobs that are older, whatever they belong to.

        Raises:
            StoreUnavailable
        """
        return self.listed(older_than)

    def listed(self, older_than: float) -> Iterator[str]:
        """The same; a blob is as old as its last byte, since nobody sees it before.

        Raises:
            StoreUnavailable
        """
        latest = time.time() - older_than
        with _answering(""):
            for page in obstore.list(self._store):
                for found in page:
                    if _BLOB_ID.fullmatch(found["path"]) and found["last_modified"].timestamp() <= latest:
                        yield found["path"]


class RemoteWriter:
    """Writes one blob; a `BlobWriter`. A long one is sent by a thread while it is written."""

    def __init__(self, store: ObjectStore, blob_id: str) -> None:
        self._store = store
        self._blob_id = blob_id
        self._pending = bytearray()
        self._sender: _Sender | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            StoreUnavailable
        """
        self._pending += data
        if self._sender is None and len(self._pending) > _CHUNK:
            self._sender = _Sender(self._store, self._blob_id)
        if self._sender and len(self._pending) >= _PIECE:
            self._sender.send(self._pending)
            self._pending = bytearray()

    def finish(self) -> None:
        """Complete the blob upstream.

        Raises:
            StoreUnavailable
        """
        if self._sender:
            self._sender.send(self._pending)
            self._sender.finish()
            self._sender = None
        else:
            with _writing(self._blob_id):
                obstore.put(self._store, self._blob_id, self._pending, use_multipart=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._sender:
            self._sender.abandon()


class _Abandoned(Exception):
    """The blob is not wanted any more; makes the client throw away what it sent."""


class _Sender:
    """A thread that sends what is put into its queue."""

    def __init__(self, store: ObjectStore, blob_id: str) -> None:
        self._store = store
        self._blob_id = blob_id
        self._queue: Queue[bytearray | BaseException | None] = Queue(_WAITING)
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name=f"blob {blob_id}", daemon=True)
        self._thread.start()

    def send(self, piece: bytearray) -> None:
        """Put bytes, which nobody changes any more, into the queue; wait while it is full."""
        if self._failure:
            raise self._failure
        self._queue.put(piece)

    def finish(self) -> None:
        """Return when all has been sent."""
        self._end(None)
        if self._failure:
            raise self._failure

    def abandon(self) -> None:
        """Throw away what was sent."""
        self._end(_Abandoned())

    def _end(self, last: BaseException | None) -> None:
        self._queue.put(last)
        self._thread.join()

    def _run(self) -> None:
        pieces = self._pieces()
        try:
            with _writing(self._blob_id):
                obstore.put(
                    self._store, self._blob_id, pieces, chunk_size=_CHUNK, max_concurrency=_UNDER_WAY
                )  # fmt: skip
        except (StoreUnavailable, _Abandoned) as failure:
            self._failure = failure
        # After a failure whoever writes must not wait for room in the queue.
        with suppress(_Abandoned):
            for _ in pieces:
                pass

    def _pieces(self) -> Iterator[bytearray]:
        while (piece := self._queue.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece


@contextmanager
def _answering(blob_id: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise BlobMissing(blob_id) from None
    except BaseError as error:
        raise StoreUnavailable(str(error)) from error


@contextmanager
def _writing(blob_id: str) -> Iterator[None]:
    """Writing finds no blob missing, but the bucket."""
    try:
        with _answering(blob_id):
            yield
    except BlobMissing:
        raise StoreUnavailable("there is no such bucket") from None
