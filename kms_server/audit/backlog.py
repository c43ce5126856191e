"""The backlog of a segment: batches that are on disk, but not in its database yet.

A transaction of one row costs the database several pages, and the processor more than all else that a commit does. So
small batches are appended to a file beside the segment, one synced write each, and go into the database together a moment
later. Of a batch the file has the length and the CRC-32 (4 bytes each) of what follows: its rows and where the
chain ends with them, as MessagePack.

What stands in the file counts only if it is whole, goes on where the segment ends, and its link is right. What a crash has
torn is not whole, and what earlier batches have left behind the newest does not go on; so nothing has to be truncated.
"""

import errno
import logging
import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from struct import Struct
from zlib import crc32

import msgspec

from kms_server.audit.chain import ChainKey, Linked
from kms_server.audit.segments import is_full, lock, make_room
from kms_server.files import sync_directory, write_private
from kms_server.storage.audit_writers import Head

_LOG = logging.getLogger(__name__)
_SUFFIX = ".backlog"
# Of a backlog that is not its segment's.
REJECTED = ".rejected"
# Batches that are larger, all together, go into the database at once.
_BYTES = 2**20
_HEAD = Struct(">II")
_NOTHING = bytes(_HEAD.size)
# Has the id of the first row.
_IDENTITY = 64
_LOOK_SECONDS = 0.002

_never_came: dict[Path, bytes] = {}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Linked).decode


class Backlog:
    """What waits beside a segment that this process owns."""

    def __init__(self, segment: Path) -> None:
        path = segment.with_suffix(_SUFFIX)
        path.touch(mode=0o600)
        make_room(path, _BYTES)
        sync_directory(path.parent)
        with ExitStack() as held:
            self._file = os.open(path, os.O_RDWR | os.O_DSYNC | os.O_CLOEXEC)
            held.callback(os.close, self._file)
            self._plain = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            held.callback(os.close, self._plain)
            self._held = held.pop_all()
        # What a former owner has left takes the room until `clear`.
        self._end = _BYTES
        self._segment = segment

    def left(self, key: ChainKey, writer: str, head: Head | None) -> list[Linked]:
        """What a former owner has left, as the batches of a writer that come behind `head`; None: the chain takes no more.

        A crash leaves no batch that is whole, new, and does not follow. If there is one, somebody has changed the segment, the
        key or the program: all is kept in a file beside for who looks into it.
        """
        content, at = os.pread(self._file, _BYTES, 0), 0
        batches: list[Linked] = []
        while found := _at(content, at):
            encoded, at = found
            one = _decoded(encoded)
            if (
                one is None
                or head is None
                or (one.head.seq > head.seq and not key.follows(writer, head, one))
            ):
                self._reject(content)
                break
            if one.head.seq > head.seq:
                batches.append(one)
                head = one.head
        return batches

    def _reject(self, content: bytes) -> None:
        rejected = self._segment.with_suffix(REJECTED)
        _LOG.error(
            "records that wait for %s do not follow its last one: they are kept in %s",
            self._segment,
            rejected,
        )
        write_private(rejected, content)

    def add(self, batch: Linked) -> bool:
        """Have a batch on disk; False: there is no room for it, and nothing happened.

        Raises:
            OSError: it is not known to be on disk.
        """
        encoded = _encode(batch)
        size = _HEAD.size + len(encoded)
        if self._end + size > _BYTES:
            return False
        if os.pwritev(self._file, (_HEAD.pack(len(encoded), crc32(encoded)), encoded), self._end) != size:
            raise OSError(errno.ENOSPC, "a batch was written in part")
        self._end += size
        return True

    def clear(self) -> None:
        """Forget what is in the database by now.

        Nothing is synced: what comes back after a loss of power does not follow the segment's end.
        """
        if self._end:
            os.pwrite(self._plain, _NOTHING, 0)
            self._end = 0

    def close(self) -> None:
        """Let go of the file."""
        self._held.close()


def _at(content: bytes, at: int) -> tuple[bytes, int] | None:
    """The batch at a place, and where the next one would be; None: there is none that is whole."""
    body = at + _HEAD.size
    if body > len(content):
        return None
    length, checksum = _HEAD.unpack_from(content, at)
    encoded = content[body : body + length]
    return (encoded, body + length) if length and crc32(encoded) == checksum else None


def _decoded(encoded: bytes) -> Linked | None:
    try:
        return _decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def remove(segment: Path) -> None:
    """Remove the file of a segment that gets no more rows."""
    segment.with_suffix(_SUFFIX).unlink(missing_ok=True)


def is_left(segment: Path) -> bool:
    """Whether a segment's owner has said of batches, and not taken back, that they are not in its database."""
    return _identity(segment) is not None


def is_orphaned(segment: Path) -> bool:
    """Whether batches are left, and nobody owns the segment who would take them into its database."""
    if not is_left(segment) or (descriptor := lock(segment)) is None:
        return False
    os.close(descriptor)
    return is_left(segment)


def wait(segments: Iterable[Path], patience: float = 0.5) -> None:
    """Wait until all that waits now is in the databases of its segments, but no more than `patience` seconds.

    Owners take some 30 ms at most; what a killed one has left waits for the next, or for a job. Nobody waits twice for what
    did not come.
    """
    awaited = {
        path: first
        for path in segments
        if (first := _identity(path)) is not None and first != _never_came.get(path)
    }
    end = time.monotonic() + patience
    while awaited and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
        awaited = {path: first for path, first in awaited.items() if _identity(path) == first}
    _never_came.update(awaited)


def _identity(segment: Path) -> bytes | None:
    """The beginning of the first batch; None where there is none."""
    try:
        with segment.with_suffix(_SUFFIX).open("rb", buffering=0) as file:
            begin = file.read(_IDENTITY)
    except FileNotFoundError:
        return None
    # A loss of power may bring back what a full segment had.
    return None if not begin or begin.startswith(_NOTHING) or is_full(segment) else begin
