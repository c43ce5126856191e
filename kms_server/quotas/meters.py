"""How many calls each limit has let pass and refused, counted by every worker in a file of its own.

A worker that ends leaves its file to the next, so that counts only grow. What `read` adds up may miss what a worker is
counting at that moment.
"""

import hashlib
import mmap
import os
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from kms_server.files import make_private_dir, take_one_of
from kms_server.quotas.subjects import QUOTA

_RECORDS = 1_024
_TEXT = 240
_RECORD = Struct(f"=QQ{_TEXT}s")  # how many passed and were refused, and of which limit
_WORDS = _RECORD.size // 8
_SIZE = _RECORDS * _RECORD.size
_SHARE = _RECORDS // 4
OTHERS = "others"


class Count(NamedTuple):
    """Calls that passed and calls that were refused."""

    passed: int
    refused: int


NONE = Count(0, 0)


class Meters:
    """One worker's counts.

    Limits beyond the first thousand are counted together, as `others`, and so are the quotas of an account beyond a quarter
    of these: callers choose Regions as they like, and must not use up the room of other accounts.
    """

    def __init__(self, directory: Path) -> None:
        make_private_dir(directory)
        self._descriptor = take_one_of(directory)
        os.ftruncate(self._descriptor, _SIZE)
        os.posix_fallocate(self._descriptor, 0, _SIZE)  # a full disk fails here, not as SIGBUS later
        self._memory = mmap.mmap(self._descriptor, _SIZE)
        self._words = memoryview(self._memory).cast("Q")
        self._lock = threading.Lock()
        self._places = {text: place for place, text, _ in _records(self._memory)}
        self._owned = Counter(map(_owner, self._places))

    def place(self, subject: str) -> int:
        """Where a limit is counted."""
        text = named(subject)
        with self._lock:
            place = self._places.get(text)
            if place is None:
                number = len(self._places)
                owner = _owner(text)
                if number >= _RECORDS - 1 or (owner and self._owned[owner] >= _SHARE):
                    text = OTHERS
                else:
                    self._owned[owner] += 1
                place = self._places.setdefault(text, min(number, _RECORDS - 1) * _WORDS)
                start = place * 8 + 16
                record = text.encode().ljust(_TEXT, b"\0")
                # Who reads meanwhile, or after this process was killed here, finds the whole text or none.
                self._memory[start + 1 : start + _TEXT] = record[1:]
                self._memory[start] = record[0]
            return place

    def count(self, places: Sequence[int], column: int, calls: int = 1) -> None:
        """Count calls at each place, as ones that passed (0) or were refused (1)."""
        words = self._words
        for place in places:
            words[place + column] += (
                calls  # the interpreter changes threads between lines like this one, not within
            )

    def close(self) -> None:
        """Leave the file to the next worker."""
        self._words.release()
        self._memory.close()
        os.close(self._descriptor)


def read(directory: Path) -> dict[str, Count]:
    """What all workers of this host have counted, by limit."""
    total: dict[str, Count] = {}
    for path in sorted(directory.glob("*")):
        for _, text, count in _records(path.read_bytes()):
            before = total.get(text, NONE)
            total[text] = Count(before.passed + count.passed, before.refused + count.refused)
    return total


def _records(content: bytes | mmap.mmap) -> list[tuple[int, str, Count]]:
    """Each record's place in words, its limit, and its counts."""
    found = []
    for number, (passed, refused, text) in enumerate(_RECORD.iter_unpack(content)):
        if not text[0]:
            break
        found.append((number * _WORDS, text.rstrip(b"\0").decode(errors="replace"), Count(passed, refused)))
    return found


def _owner(text: str) -> str:
    """The account whose quota a record is about; empty for limits that only the operator sets."""
    kind, _, rest = text.partition(":")
    return rest.partition(":")[0] if kind == QUOTA else ""


def named(subject: str) -> str:
    """What a limit is called in a record; what is too long keeps its beginning and a digest of the whole."""
    if len(subject.encode()) <= _TEXT:
        return subject
    digest = hashlib.blake2b(subject.encode(), digest_size=8).hexdigest()
    return subject.encode()[: _TEXT - 17].decode(errors="ignore") + "~" + digest
