"""What is in a backup: members one after the other, each a description and blocks of bytes.

    M  length  JSON    a member begins
    B  length  bytes   a block of it; of rows, whole lines of COPY's text format
    E  length  JSON    nothing follows; how many members there were, and a tag

Lengths have four bytes. All of it lies within an authenticated stream. The tag is over a digest of the header and all before the
end: whoever encrypts for a public key may be anybody, but only a server can make its tag.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias

from kms_server.backup.sealed_file import Damaged, SealedReader, SealedWriter
from kms_server.errors import OperatorError

MOST_BLOCK = 256 * 2**20
_MEMBER, _BLOCK, _END = b"MBE"
# Told of bytes as they are done.
Advance: TypeAlias = Callable[[int], object]


class Member(NamedTuple):
    """A member: what it is, and its blocks, which are read once and before the next member."""

    said: Mapping[str, Any]
    blocks: Iterator[bytes]


class ArchiveWriter:
    """Writes members."""

    def __init__(self, file: SealedWriter, advance: Advance) -> None:
        self._file = file
        self._advance = advance
        self._members = 0
        self._digest = sha256(file.part)

    def add(self, said: Mapping[str, Any], blocks: Iterable[bytes]) -> None:
        """Write a member.

        Raises:
            OSError: the file cannot be written.
            OperatorError: a block is too long.
        """
        self._put(_MEMBER, json.dumps(said).encode())
        self._members += 1
        for block in blocks:
            if len(block) > MOST_BLOCK:
                raise OperatorError(
                    f"a row of {said.get('name')} has {len(block)} bytes: no backup can hold it"
                )
            self._put(_BLOCK, block)
            self._advance(len(block))

    def finish(self, sign: Callable[[bytes], bytes]) -> None:
        """Write the end; `sign` makes the tag of a digest.

        Raises:
            OSError
        """
        tag = sign(self._digest.digest())
        self._put(_END, json.dumps({"members": self._members, "tag": tag.hex()}).encode())
        self._file.finish()

    def _put(self, kind: int, data: bytes) -> None:
        framed = bytes((kind,)) + len(data).to_bytes(4) + data
        self._digest.update(framed)
        self._file.write(framed)


class ArchiveReader:
    """Reads members; once there are no more, `digest` and `tag` are what `ArchiveWriter.finish` had and made."""

    def __init__(self, file: SealedReader, advance: Advance) -> None:
        self._file = file
        self._advance = advance
        self._next = (0, b"")
        self._running = sha256(file.part)
        self.digest = self.tag = b""

    def members(self) -> Iterator[Member]:
        """All members in their order.

        Raises:
            Damaged: something is not as it was written.
        """
        count = 0
        self._step()
        while self._next[0] == _MEMBER:
            count += 1
            said = _described(self._next[1])
            self._step()
            blocks = self._blocks()
            yield Member(said, blocks)
            for _ in blocks:
                pass
        kind, end = self._next
        said = _described(end)
        if kind != _END or said.get("members") != count:
            raise Damaged("its members are not those that it names")
        self._file.check_end()
        try:
            self.tag = bytes.fromhex(said["tag"])
        except (KeyError, TypeError, ValueError):
            raise Damaged("it has no tag") from None

    def _blocks(self) -> Iterator[bytes]:
        while self._next[0] == _BLOCK:
            block = self._next[1]
            self._step()
            yield block

    def _step(self) -> None:
        before = self._file.position
        head = self._file.read(5)
        length = int.from_bytes(head[1:])
        if length > MOST_BLOCK:
            raise Damaged("a block is longer than any server writes")
        data = self._file.read(length)
        self._next = head[0], data
        if head[0] == _END:
            self.digest = self._running.digest()
        self._running.update(head + data)
        self._advance(self._file.position - before)


def _described(encoded: bytes) -> dict[str, Any]:
    try:
        said = json.loads(encoded)
    except ValueError:
        raise Damaged("a member has no description") from None
    if not isinstance(said, dict):
        raise Damaged("a member has no description")
    return said


def check(file: SealedReader, advance: Advance) -> int:
    """Read all of a backup that is unlocked; how many members it has.

    Raises:
        Damaged: something is not as it was written.
    """
    return sum(1 for _ in ArchiveReader(file, advance).members())
