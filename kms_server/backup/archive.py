"""What is in a backup: members one after the other, each a description and blocks of bytes.

    M  length  JSON    a member begins
    B  length  bytes   a block of it; of rows, whole lines of COPY's text format
    E  length  JSON    nothing follows; how many members there were

Lengths have four bytes. All of it lies within an authenticated stream.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
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

    def finish(self) -> None:
        """Write the end.

        Raises:
            OSError
        """
        self._put(_END, json.dumps({"members": self._members}).encode())
        self._file.finish()

    def _put(self, tag: int, data: bytes) -> None:
        self._file.write(bytes((tag,)) + len(data).to_bytes(4) + data)


class ArchiveReader:
    """Reads members."""

    def __init__(self, file: SealedReader, advance: Advance) -> None:
        self._file = file
        self._advance = advance
        self._next = (0, b"")

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
        tag, end = self._next
        if tag != _END or _described(end) != {"members": count}:
            raise Damaged("its members are not those that it names")
        self._file.check_end()

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
        self._next = head[0], self._file.read(length)
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
