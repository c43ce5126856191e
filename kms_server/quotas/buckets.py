"""Token buckets shared by the processes of a host.

GCRA (ITU-T I.371): a bucket is one number, the theoretical arrival time (TAT) in nanoseconds of CLOCK_MONOTONIC. A
call conforms when TAT - now <= tolerance; it then moves TAT on by one interval. The buckets lie in a memory-mapped
file of fixed size, set-associative: a bucket whose TAT has passed is full again and its slot is free to take, so
the file does not grow with the number of buckets ever seen.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"kmsbkt01"
_HEADER = 64
_SLOT = struct.Struct("<8sq")  # tag, TAT
_WAYS = 32
_REMEMBERED = 65_536


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket: its tag (8 bytes), nanoseconds per token, and nanoseconds of burst tolerance."""

    tag: bytes
    interval: int
    tolerance: int

    @classmethod
    def of(cls, subject: str, rate: float, burst: float) -> "Bucket":
        """The bucket of `subject`: `rate` tokens per second, `burst` at once."""
        interval = max(1, round(1e9 / rate))
        tag = hashlib.blake2b(subject.encode(), digest_size=8).digest()
        return cls(tag, interval, round((burst - 1) * interval))


class Buckets:
    """The buckets of a host behind an flock, which the kernel releases when its holder dies.

    A holder that dies between two writes has taken some tokens of a call that was never made: limits stay exact.
    """

    def __init__(self, path: Path, slots: int = 65_536, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._sets = slots // _WAYS
        self._clock = clock
        self._lock = threading.Lock()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._memory = self._map(_HEADER + self._sets * _WAYS * _SLOT.size)
        self._places: dict[bytes, int] = {}

    def _map(self, size: int) -> mmap.mmap:
        """Map the file; one of another boot, size or format is begun anew, since its times mean nothing."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
        header = (_MAGIC + boot + size.to_bytes(8, "little")).ljust(_HEADER, b"\0")
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            if os.pread(self._descriptor, _HEADER, 0) != header or os.fstat(self._descriptor).st_size != size:
                os.ftruncate(self._descriptor, 0)
                os.ftruncate(self._descriptor, size)
                os.pwrite(self._descriptor, header, 0)
            return mmap.mmap(self._descriptor, size)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def take(self, wanted: Sequence[Bucket]) -> bool:
        """Take one token of every bucket, or none of any; False when one has none left."""
        memory, descriptor = self._memory, self._descriptor
        with self._lock:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                now = self._clock()
                moved = []
                for bucket in wanted:
                    place, arrival = self._find(bucket.tag, now)
                    if place < 0 or arrival - now > bucket.tolerance:
                        return False
                    moved.append((place, bucket.tag, max(arrival, now) + bucket.interval))
                for place, tag, arrival in moved:
                    _SLOT.pack_into(memory, place, tag, arrival)
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        return True

    def _find(self, tag: bytes, now: int) -> tuple[int, int]:
        """Offset and TAT of a bucket's slot; a free slot of its set when it has none, -1 when there is none."""
        place = self._places.get(tag)
        if place is not None:
            found, arrival = _SLOT.unpack_from(self._memory, place)
            if found == tag:
                return place, arrival
        first = _HEADER + int.from_bytes(tag, "little") % self._sets * _WAYS * _SLOT.size
        free = -1
        for place in range(first, first + _WAYS * _SLOT.size, _SLOT.size):
            found, arrival = _SLOT.unpack_from(self._memory, place)
            if found == tag:
                break
            if free < 0 and arrival <= now:
                free = place
        else:
            place, arrival = free, now
        if place >= 0:
            if len(self._places) >= _REMEMBERED:
                self._places.clear()
            self._places[tag] = place
        return place, arrival

    def close(self) -> None:
        """Release the file."""
        self._memory.close()
        os.close(self._descriptor)
