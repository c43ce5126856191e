"""What every worker counts, in a file of its own that is mapped in memory.

A worker that ends leaves its file to the next, so that counts only grow; another version of this program begins anew. A line
like `words[place] += 1` is one step for the interpreter's threads. What a worker counted in the last quarter of a second is not
in its file yet, and is lost when it is killed.
"""

import hashlib
import mmap
import os
import time
from array import array
from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

from kms_server.files import make_private_dir, take_one_of
from kms_server.server.call_kinds import FAMILIES, KINDS, Kind

# Upper bounds of a histogram's buckets, in seconds; the last bucket has what is longer.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LOGS = ("management", "data")
_BUCKETS = len(BOUNDS) + 1
_TIMES = _BUCKETS + 1  # and the sum, in microseconds
_COMMITS = 2 + _TIMES  # records, failed batches, and how long batches took
_FIRST_TIMES = len(KINDS)
_FIRST_COMMITS = _FIRST_TIMES + len(FAMILIES) * _TIMES
_COLD = _FIRST_COMMITS + len(LOGS) * _COMMITS
_MISSES, _CONNECTIONS, _ENTRIES, _ALIVE_AT = range(_COLD + 1, _COLD + 5)
_WORDS = _ALIVE_AT + 1
_HEADER = 16
_SIZE = _HEADER + 8 * _WORDS
_LAYOUT = hashlib.blake2b(
    repr((KINDS, FAMILIES, BOUNDS, LOGS, _WORDS)).encode(), digest_size=_HEADER
).digest()
# A worker that has not said for so long that it is alive is dead, or stuck.
_ALIVE_SECONDS = 5.0


class Histogram(NamedTuple):
    """How often something took how long: `buckets` as in BOUNDS, each for itself; `seconds` is the sum."""

    buckets: tuple[int, ...]
    seconds: float


class Commits(NamedTuple):
    """The batches of one log."""

    records: int
    failed: int
    times: Histogram


class Totals(NamedTuple):
    """What all workers of a host have counted, and what those that are alive have now."""

    calls: dict[Kind, int]
    times: dict[str, Histogram]
    commits: dict[str, Commits]
    cold: int
    misses: int
    workers: int
    connections: int
    cached: int


class Tally:
    """One worker's counts; what is counted reaches the file a few times a second, with `alive`."""

    def __init__(self, directory: Path) -> None:
        make_private_dir(directory)
        self._descriptor = take_one_of(directory)
        os.ftruncate(self._descriptor, _SIZE)
        os.posix_fallocate(self._descriptor, 0, _SIZE)  # a full disk fails here, not as SIGBUS later
        self._memory = mmap.mmap(self._descriptor, _SIZE)
        if self._memory[:_HEADER] != _LAYOUT:
            self._memory[:] = _LAYOUT + bytes(_SIZE - _HEADER)
        # Sums of times are floats until they are written: every call pays for what is done here.
        self._words: list[float] = list(array("Q", self._memory[_HEADER:]))
        self._missed = 0

    def call(self, kind: Kind, seconds: float) -> None:
        """Count a call, and how long its client waited for the answer."""
        words, first = self._words, _FIRST_TIMES + kind.family * _TIMES
        bucket = first + bisect_left(BOUNDS, seconds)
        words[kind.number] += 1
        words[bucket] += 1
        words[first + _BUCKETS] += seconds * 1e6

    def cold(self) -> None:
        """Count a call that went on in a thread, because something was not cached or had to be written."""
        self._words[_COLD] += 1

    def batch(self, log: str, calls: int, seconds: float, *, failed: bool) -> None:
        """Count a group commit of a log."""
        words, first = self._words, _FIRST_COMMITS + LOGS.index(log) * _COMMITS
        bucket = first + 2 + bisect_left(BOUNDS, seconds)
        words[first] += calls
        words[first + 1] += failed
        words[bucket] += 1
        words[first + 2 + _BUCKETS] += seconds * 1e6

    def alive(self, *, connections: int, cached: int, missed: int) -> None:
        """Say that this worker is there, a few times a second: what it has now, and its cache's misses since it began."""
        words = self._words
        words[_CONNECTIONS], words[_ENTRIES] = connections, cached
        words[_MISSES] += missed - self._missed
        self._missed = missed
        words[_ALIVE_AT] = time.monotonic_ns()
        self._write()

    def close(self) -> None:
        """Leave the file to the next worker."""
        if self._memory.closed:
            return
        self._words[_ALIVE_AT] = 0
        self._write()
        self._memory.close()
        os.close(self._descriptor)

    def _write(self) -> None:
        self._memory[_HEADER:] = array("Q", map(int, self._words)).tobytes()


def read(directory: Path) -> Totals:
    """What all workers of this host have counted."""
    files = [words for path in sorted(directory.glob("*")) if (words := _words_of(path)) is not None]
    total = [sum(column) for column in zip(*files, strict=True)] or [0] * _WORDS
    now = time.monotonic_ns()
    alive = [words for words in files if 0 <= now - words[_ALIVE_AT] < _ALIVE_SECONDS * 1e9]
    return Totals(
        {kind: total[kind.number] for kind in KINDS},
        {family: _histogram(total, _FIRST_TIMES + place * _TIMES) for place, family in enumerate(FAMILIES)},
        {log: _commits(total, _FIRST_COMMITS + place * _COMMITS) for place, log in enumerate(LOGS)},
        total[_COLD],
        total[_MISSES],
        len(alive),
        sum(words[_CONNECTIONS] for words in alive),
        sum(words[_ENTRIES] for words in alive),
    )


def _histogram(words: list[int], first: int) -> Histogram:
    return Histogram(tuple(words[first : first + _BUCKETS]), words[first + _BUCKETS] / 1e6)


def _commits(words: list[int], first: int) -> Commits:
    return Commits(words[first], words[first + 1], _histogram(words, first + 2))


def _words_of(path: Path) -> list[int] | None:
    """The words of a file; None for one of another version, or one that is just being made."""
    content = path.read_bytes()
    if len(content) != _SIZE or content[:_HEADER] != _LAYOUT:
        return None
    return array("Q", content[_HEADER:]).tolist()
