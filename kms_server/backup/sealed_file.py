"""The file of a backup, format 1: a header in clear, and a stream of chunks that is bound to it.

    magic "kms-server backup 1\\n"
    4     length of the header
    n     header: JSON
    70    header of the stream (crypto/stream_header.py)
    m     chunks of the stream (crypto/stream.py), whose part id is the SHA-256 of all before the stream

The chunks cannot be changed, dropped, swapped or cut off, and the header cannot be changed, without being noticed.
"""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from io import SEEK_SET
from typing import Any, BinaryIO

from kms_server.backup.protection import BadSecret, KnownKey, Opening, Sealing
from kms_server.crypto.stream import CHUNK, PartOpener, PartSealer, StreamError
from kms_server.crypto.stream_header import TAG
from kms_server.errors import OperatorError

_MAGIC = b"kms-server backup 1\n"
_MOST_HEADER = 65_536
_STREAM_HEADER = 70
_AT_ONCE = 16  # chunks: a megabyte


class Damaged(OperatorError):
    """A backup is not as it was written."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the backup is damaged: {what}; take another copy of it")


class SealedWriter:
    """Writes a backup to a file, from its header on; `write` takes what is in it, `finish` ends it.

    `key` opens this one, `part` is the hash of its header.
    """

    def __init__(self, file: BinaryIO, header: Mapping[str, Any], protection: Sealing) -> None:
        said, key = protection.seal()
        encoded = json.dumps({**header, "protection": said}).encode()
        clear = _MAGIC + len(encoded).to_bytes(4) + encoded
        self.part = sha256(clear).digest()
        self._sealer = PartSealer(key, None, self.part)
        self._file = file
        self.key = KnownKey(key)
        file.write(clear + self._sealer.header)

    def write(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            OSError
        """
        self._file.write(self._sealer.update(data))

    def finish(self) -> None:
        """Write the last chunk.

        Raises:
            OSError
        """
        self._file.write(self._sealer.finish())


class SealedReader:
    """Reads a backup from a file that can be sought; `header` is what it says in clear, `part` its hash.

    What `read` gives is authentic; that the header is, too, is known once `unlock` has returned.

    Raises:
        Damaged: it is no backup.
        OperatorError: it is of another format.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0, SEEK_SET)
        magic = file.read(len(_MAGIC))
        if magic != _MAGIC:
            if magic.startswith(b"kms-server backup "):
                raise OperatorError(
                    "the backup is of another format than this program reads: upgrade kms-server"
                )
            raise Damaged("it does not begin as backups do")
        length = int.from_bytes(file.read(4))
        encoded = file.read(length) if length <= _MOST_HEADER else b""
        self.header: dict[str, Any] = _parsed(encoded)
        self.part = sha256(_MAGIC + length.to_bytes(4) + encoded).digest()
        self._opener: PartOpener | None = None
        self._at = 0
        self._offset = 0
        self._held = memoryview(b"")

    def unlock(self, protection: Opening) -> None:
        """Derive the key, and check it against the header.

        Raises:
            BadSecret: it is another key, or the header is damaged.
            Damaged
        """
        header = self._file.read(_STREAM_HEADER)
        self._offset = self._file.tell()
        sealed = os.fstat(self._file.fileno()).st_size - self._offset
        chunks = -(-sealed // (CHUNK + TAG))
        if sealed < TAG:
            raise Damaged("its end is missing")
        try:
            key = protection.open(self.header["protection"])
        except (KeyError, TypeError, AttributeError, ValueError):
            raise Damaged("its header says nothing of a key that can be used") from None
        try:
            self._opener = PartOpener(key, None, self.part, header, sealed - chunks * TAG)
        except StreamError:
            raise BadSecret(
                "the backup does not open: it is under another passphrase or key, or its header is damaged"
            ) from None
        if self._opener.sealed_size != sealed:
            raise Damaged("its end is missing")

    @property
    def size(self) -> int:
        """How many bytes are in it, without the header."""
        return self._opened.size

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._at - len(self._held)

    def read(self, count: int) -> bytes:
        """The next bytes, exactly so many.

        Raises:
            Damaged: a chunk is not as it was written, or there are fewer.
        """
        if count > self.size - self.position:
            raise Damaged("it ends within what it says")
        parts: list[bytes] = []
        while count:
            if not self._held:
                self._fill()
            part, self._held = self._held[:count], self._held[count:]
            parts.append(bytes(part))
            count -= len(part)
        return b"".join(parts)

    def check_end(self) -> None:
        """Check that all was read.

        Raises:
            Damaged
        """
        if self.position != self.size:
            raise Damaged("something stands behind its end")

    @property
    def _opened(self) -> PartOpener:
        assert self._opener is not None  # noqa: S101 - unlocked before anything is read
        return self._opener

    def _fill(self) -> None:
        opener = self._opened
        end = min(self._at + _AT_ONCE * CHUNK, opener.size)
        offset, length = opener.sealed_range(self._at, end)
        self._file.seek(self._offset + offset, SEEK_SET)
        try:
            pieces = opener.open(self._file.read(length), self._at, end)
        except OSError as error:
            raise Damaged(f"it cannot be read: {error.strerror}") from None
        except StreamError:
            raise Damaged(
                f"its bytes {self._offset + offset} to {self._offset + offset + length} were changed"
            ) from None
        self._held = memoryview(b"".join(pieces))
        self._at = end


def _parsed(encoded: bytes) -> dict[str, Any]:
    try:
        header = json.loads(encoded)
    except ValueError:
        raise Damaged("its header cannot be read") from None
    if not isinstance(header, dict):
        raise Damaged("its header cannot be read")
    return header
