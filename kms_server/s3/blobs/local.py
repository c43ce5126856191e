"""Blobs as files of one directory.

A blob is written to `incoming/ID` and made durable there. Settling moves it to `ab/cd/ID`, and is not made durable: after a
loss of power a blob is in one of the two places, and readers look into both.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Self

from kms_server.files import sync_directory
from kms_server.s3.blobs.store import BlobMissing, StoreFull

_PIECE = 1 << 16  # bytes; fewer at once cost more in calls, more in a copy
_SENT_AT_ONCE = 1 << 20
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class LocalBlobs:
    """A `BlobStore` in a directory of its own, on a file system that several processes of this host share."""

    def __init__(self, directory: Path) -> None:
        # Paths are put together as text: that takes a tenth of the time, and reading is little else.
        self._directory = f"{directory}/"
        self._incoming = f"{directory}/incoming/"
        for made in (directory, directory / "incoming"):
            made.mkdir(mode=0o700, exist_ok=True)
            sync_directory(made.parent)
        self._names = _SharedSync(self._incoming)

    def create(self, blob_id: str) -> "LocalWriter":
        """Begin a blob.

        Raises:
            StoreFull
        """
        with _room():
            return LocalWriter(self._incoming + blob_id, self._names)

    def read(self, blob_id: str, first: int, count: int) -> bytes:
        """Some bytes of a blob; see `BlobStore`.

        Raises:
            BlobMissing
        """
        descriptor = self._open(blob_id)
        try:
            data = os.pread(descriptor, count, first)
            # One call gives 2 GiB at most, or less where a signal comes.
            while len(data) < count and (more := os.pread(descriptor, count - len(data), first + len(data))):
                data += more
        finally:
            os.close(descriptor)
        if len(data) < count:
            raise BlobMissing(blob_id)
        return data

    def size(self, blob_id: str) -> int:
        """Length in bytes.

        Raises:
            BlobMissing
        """
        descriptor = self._open(blob_id)
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def settle(self, blob_id: str) -> None:
        """Move a blob to its final place; one that is there already stays, and so does one where no room is to move it."""
        place = self._place(blob_id)
        with suppress(StoreFull), _room():
            try:
                self._move(blob_id, place)
            except FileNotFoundError:
                # The directory is missing, or another process settled the blob.
                for parent in (Path(place).parent.parent, Path(place).parent):
                    parent.mkdir(mode=0o700, exist_ok=True)
                with suppress(FileNotFoundError):
                    self._move(blob_id, place)

    def delete(self, blob_id: str) -> None:
        """Remove a blob, wherever it is."""
        for path in (self._incoming + blob_id, self._place(blob_id)):
            Path(path).unlink(missing_ok=True)

    def unsettled(self, older_than: float) -> Iterator[str]:
        """Ids of blobs in `incoming` to which nobody wrote for `older_than` seconds."""
        return _last_written_before(self._incoming, time.time() - older_than)

    def listed(self, older_than: float) -> Iterator[str]:
        """Ids of all blobs to which nobody wrote for `older_than` seconds."""
        latest = time.time() - older_than
        for first in _directories(self._directory):
            for second in _directories(first):
                yield from _last_written_before(second, latest)
        yield from _last_written_before(self._incoming, latest)

    def _move(self, blob_id: str, place: str) -> None:
        Path(self._incoming + blob_id).rename(place)

    def _place(self, blob_id: str) -> str:
        return f"{self._directory}{blob_id[:2]}/{blob_id[2:4]}/{blob_id}"

    def _open(self, blob_id: str) -> int:
        place = self._place(blob_id)
        # Looked for again in the final place: it may be moved there between two looks.
        for path in (place, self._incoming + blob_id, place):
            with suppress(FileNotFoundError):
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        raise BlobMissing(blob_id)


class LocalWriter:
    """Writes one blob; a `BlobWriter`."""

    def __init__(self, path: str, names: "_SharedSync") -> None:
        self._path = path
        self._names = names
        self._pending = bytearray()
        self._written = self._sent = 0
        self._finished = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            StoreFull
        """
        if len(data) < _PIECE:
            self._pending += data
        else:
            self._flush()
            self._put(memoryview(data))
        if len(self._pending) >= _PIECE:
            self._flush()

    def finish(self) -> None:
        """Make the blob and its name durable.

        Raises:
            StoreFull
            BlobMissing: it was taken for what a crash has left, after a long pause.
        """
        self._flush()
        with _room():
            os.fdatasync(self._descriptor)
            self._names.sync()
        if not os.fstat(self._descriptor).st_nlink:
            raise BlobMissing(self._path)
        self._finished = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        if not self._finished:
            Path(self._path).unlink(missing_ok=True)

    def _flush(self) -> None:
        pending, self._pending = self._pending, bytearray()
        self._put(memoryview(pending))

    def _put(self, data: memoryview) -> None:
        written = 0
        with _room():
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        self._written += written
        if self._written - self._sent >= _SENT_AT_ONCE:
            self._send()

    def _send(self) -> None:
        """Have the disk begin with what is written: at the end, all at once, it would hold up every other sync meanwhile.

        Linux writes dirty pages back when it is told that nobody needs them, and drops those that are on disk.
        """
        os.posix_fadvise(self._descriptor, self._sent, self._written - self._sent, os.POSIX_FADV_DONTNEED)
        self._sent = self._written


class _SharedSync:
    """Makes the names in a directory durable; those who ask while one sync runs share the next."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._asking, self._syncing = Lock(), Lock()
        self._asked = self._done = 0

    def sync(self) -> None:
        """Return when a sync that began after this call has ended."""
        with self._asking:
            self._asked += 1
            mine = self._asked
        with self._syncing:
            if self._done < mine:
                covered = self._asked
                sync_directory(self._directory)
                self._done = covered


def _directories(directory: str) -> Iterator[str]:
    """The directories by the digits of ids in one."""
    with os.scandir(directory) as entries:
        yield from (entry.path for entry in entries if len(entry.name) == 2)


def _last_written_before(directory: str, latest: float) -> Iterator[str]:
    """Names of the files in a directory that were written last at a time in epoch seconds, or before."""
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # it was moved or deleted in the meantime
                if entry.stat(follow_symlinks=False).st_mtime <= latest:
                    yield entry.name


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFull from error
        raise
