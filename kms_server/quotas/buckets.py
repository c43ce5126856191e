"""Token buckets shared by the processes of a host.

GCRA (ITU-T I.371): a bucket is one number, the theoretical arrival time (TAT). A call conforms when TAT - now <=
tolerance; it then moves TAT on by one interval. Times are CLOCK_MONOTONIC in sixteenths of a nanosecond, so that the
interval of every whole rate up to 126,000/s admits less than one call per second too many, which is none.

The buckets lie in a memory-mapped file of fixed size, set-associative: a bucket whose TAT has passed is full again
and its slot is free to take, so the file does not grow with the number of buckets ever seen. A set holds 32 buckets
in use at the same moment; beyond that it refuses, which happens with some 25,000 buckets in use at once.
"""

import fcntl
import hashlib
import mmap
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"kmsbkt02"
_HEADER = 64
_WORD = 8
_FIRST = _HEADER // _WORD
_WAYS = 32
_SLOT_WORDS = 2  # tag, TAT
_SET_WORDS = _WAYS * _SLOT_WORDS
_REMEMBERED = 65_536
_TICKS = 16  # per nanosecond: 63 bits last for 18 years of uptime
_HORIZON = 1 << 59  # ticks, 417 days: no interval and no tolerance is longer


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket: its tag (63 bits), ticks per token, and ticks of burst tolerance."""

    tag: int
    interval: int
    tolerance: int

    @classmethod
    def of(cls, subject: str, rate: float, burst: float) -> "Bucket":
        """The bucket of `subject`: `rate` tokens per second, `burst` (at least 1) at once."""
        digest = hashlib.blake2b(subject.encode(), digest_size=8).digest()
        # Cut, never rounded up: an arrival at exactly the rate conforms for ever. Tag 0 is an unused slot.
        interval = max(1, int(min(_TICKS * 1e9 / rate, _HORIZON)))
        return cls(int.from_bytes(digest) >> 1 or 1, interval, int(min((burst - 1) * interval, _HORIZON)))


class Buckets:
    """The buckets of a host behind an flock, which the kernel releases when its holder dies.

    May be opened before or after a fork, and used from any thread. A holder that dies between two writes has taken
    some tokens of a call that was never made: limits stay exact. `clock` gives nanoseconds.
    """

    def __init__(self, path: Path, slots: int = 65_536, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._sets = slots // _WAYS
        self._clock = clock
        self._places: dict[int, int] = {}
        self._lock = threading.Lock()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._memory = self._map(_HEADER + self._sets * _SET_WORDS * _WORD)
        # One word is one store of the processor: a holder that dies leaves the old or the new, never a mixture.
        self._words = memoryview(self._memory).cast("q")
        method = weakref.WeakMethod(self.after_fork)
        os.register_at_fork(after_in_child=lambda: (renew := method()) and renew())

    def _map(self, size: int) -> mmap.mmap:
        """Map the file; one of another boot, size or format is begun anew, since its times mean nothing."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
        header = (_MAGIC + boot + size.to_bytes(8)).ljust(_HEADER, b"\0")
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            valid = (
                os.fstat(self._descriptor).st_size == size
                and os.pread(self._descriptor, _HEADER, 0) == header
            )
            if not valid:
                os.ftruncate(self._descriptor, size)
                os.posix_fallocate(self._descriptor, 0, size)  # a full disk fails here, not as SIGBUS later
            memory = self._map_apart(size)
            if not valid:
                memory[:] = bytes(size)
                memory[:_HEADER] = header
            return memory
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _map_apart(self, size: int) -> mmap.mmap:
        """Map by a descriptor that never locks: the map duplicates it, and forked children inherit the duplicate.

        A duplicate of the locking one would hold the lock of a parent killed inside `take` for as long as they live.
        """
        descriptor = self._own_description()
        try:
            return mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)

    def _own_description(self) -> int:
        """A new open file description of the same file: an flock belongs to the description, not to the process."""
        return os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDWR | os.O_CLOEXEC)

    def after_fork(self) -> None:
        """Part from the parent's locks; runs by itself in a forked child, before it has other threads."""
        if self._descriptor >= 0:
            self._lock = threading.Lock()
            # When no description can be had, `take` fails instead of running beside the parent's.
            inherited, self._descriptor = self._descriptor, -1
            try:
                self._descriptor = os.open(f"/proc/self/fd/{inherited}", os.O_RDWR | os.O_CLOEXEC)
            finally:
                os.close(inherited)

    def take(self, wanted: Sequence[Bucket]) -> bool:
        """Take one token of every bucket, or none of any; False when one has none left."""
        words = self._words
        taken: list[tuple[int, int]] = []
        with self._lock:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
                now = self._clock() * _TICKS
                for bucket in wanted:
                    tat = self._locate(bucket.tag, now) + 1
                    if not tat:
                        break
                    arrival = words[tat]
                    wait = arrival - now
                    if wait > bucket.tolerance:
                        # After a take TAT is at most tolerance and interval ahead; it is further ahead where the
                        # limit has been raised since, or the file was damaged.
                        words[tat] = min(arrival, now + bucket.tolerance + bucket.interval)
                        break
                    taken.append((tat, arrival))
                    words[tat] = (arrival if wait > 0 else now) + bucket.interval
                else:
                    return True
                for tat, arrival in reversed(taken):
                    words[tat] = arrival
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return False

    def _locate(self, tag: int, now: int) -> int:
        """Index of the bucket's slot; a free slot of its set becomes its own when it has none, -1 when all are used."""
        words = self._words
        place = self._places.get(tag)
        if place is not None and words[place] == tag:
            return place
        first = _FIRST + tag % self._sets * _SET_WORDS
        tags = words[first : first + _SET_WORDS : _SLOT_WORDS].tolist()
        if tag in tags:
            place = first + tags.index(tag) * _SLOT_WORDS
        else:
            used = range(now + 1, now + 2 * _HORIZON + 1)  # what lies beyond was never written by `take`
            place = next((p for p in range(first, first + _SET_WORDS, 2) if words[p + 1] not in used), -1)
            if place < 0:
                return -1
            words[place + 1] = now
            words[place] = tag
        if len(self._places) >= _REMEMBERED:
            self._places.clear()
        self._places[tag] = place
        return place

    def close(self) -> None:
        """Release the file."""
        self._words.release()
        self._memory.close()
        os.close(self._descriptor)
        self._descriptor = -1
