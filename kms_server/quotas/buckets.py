"""Token buckets shared by the processes of a host.

GCRA (ITU-T I.371): a bucket is one number, the theoretical arrival time (TAT). A call conforms when TAT - now <=
tolerance; it then moves TAT on by one interval. Times are CLOCK_MONOTONIC in sixteenths of a nanosecond, so that the
interval of every whole rate up to 126,000/s admits less than one call per second too many, which is none.

The buckets lie in a memory-mapped file of fixed size, set-associative: a bucket whose TAT has passed is full again
and its slot is free to take, so the file does not grow with the number of buckets ever seen. A set holds 32 buckets
in use at the same moment; beyond that it refuses, which happens with some 25,000 buckets in use at once. Which set a
bucket belongs to is the file's secret: nobody can choose names that fill the set of another's bucket.
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

_flock, _LOCK, _UNLOCK = fcntl.flock, fcntl.LOCK_EX, fcntl.LOCK_UN
_MAGIC = b"kmsbkt03"
_HEADER = 64
_WORD = 8
_FIRST = _HEADER // _WORD
_WAYS = 32
_SLOT_WORDS = 2  # tag, TAT
_SET_WORDS = _WAYS * _SLOT_WORDS
_REMEMBERED = 65_536
_PRIME = (1 << 61) - 1
TICKS = 16  # per nanosecond: 63 bits last for 18 years of uptime
_HORIZON = 1 << 59  # ticks, 417 days: no interval and no tolerance is longer


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a call takes from one bucket: its tag (63 bits), and the rest in ticks.

    `cost` is what the call takes, `room` how far ahead the bucket's TAT may be for the call to pass, and `ahead` how far it
    can be after one.
    """

    tag: int
    cost: int
    room: int
    ahead: int

    @classmethod
    def of(cls, subject: str, rate: float, burst: float, tokens: int = 1) -> "Bucket":
        """The bucket of `subject`: `rate` tokens per second, `burst` (at least 1) at once.

        A call that takes more tokens than the burst passes when the bucket is full. A limit that changes has another
        bucket, a full one: what was refused before a raise passes after it.
        """
        named = f"{subject} {float(rate)} {float(burst)}"
        digest = hashlib.blake2b(named.encode(), digest_size=8).digest()
        # Cut, never rounded up: an arrival at exactly the rate conforms for ever. Tag 0 is an unused slot.
        interval = max(1, int(min(TICKS * 1e9 / rate, _HORIZON)))
        tolerance = int(min((burst - 1) * interval, _HORIZON))
        cost = tokens * interval
        room = max(0, tolerance + interval - cost)
        return cls(int.from_bytes(digest) >> 1 or 1, cost, room, room + cost)

    def divided(self, hosts: int) -> "Bucket":
        """The bucket of one of several hosts that share rate and burst evenly."""
        cost = min(self.cost * hosts, _HORIZON)
        room = max(0, self.ahead - cost)
        return Bucket(self.tag, cost, room, room + cost)


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
        self._secret = self._words[_FIRST - 1] | 1
        method = weakref.WeakMethod(self.after_fork)
        os.register_at_fork(after_in_child=lambda: (renew := method()) and renew())

    def _map(self, size: int) -> mmap.mmap:
        """Map the file; one of another boot, size or format is begun anew, since its times mean nothing."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
        header = (_MAGIC + boot + size.to_bytes(8)).ljust(_HEADER - _WORD, b"\0")
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            valid = (
                os.fstat(self._descriptor).st_size == size
                and os.pread(self._descriptor, len(header), 0) == header
            )
            if not valid:
                os.ftruncate(self._descriptor, size)
                os.posix_fallocate(self._descriptor, 0, size)  # a full disk fails here, not as SIGBUS later
            memory = self._map_apart(size)
            if not valid:
                memory[:] = bytes(size)
                memory[:_HEADER] = header + os.urandom(_WORD)
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

    def take(self, wanted: Sequence[Bucket], since: int = 0) -> int:
        """Take the tokens of every bucket, or none of any: the time in nanoseconds, negative when one has too few.

        Up to a second after `since`, in nanoseconds, a bucket has no burst but what has gathered from then on.
        """
        # Each step is spelled out: at this rate a call of a function costs as much as the lock.
        words, places, descriptor = self._words, self._places, self._descriptor
        taken = 0
        self._lock.acquire()
        try:
            _flock(descriptor, _LOCK)
            at = self._clock()
            now = at * TICKS
            young = since * TICKS if since and at < since + 1_000_000_000 else 0
            for bucket in wanted:
                tag = bucket.tag
                tat = places.get(tag, 0)
                if words[tat - 1] != tag:
                    tat = self._locate(tag, now)
                    if not tat:
                        break
                arrival, room = words[tat], bucket.room
                if young and arrival < young + room:
                    arrival = young + room
                if arrival - now > room:
                    # It is further ahead where the file was damaged.
                    words[tat] = min(arrival, now + bucket.ahead)
                    break
                words[tat] = (arrival if arrival > now else now) + bucket.cost  # noqa: FURB136 - max() is a call
                taken += 1
            else:
                return at
            for bucket in wanted[:taken]:
                words[self._locate(bucket.tag, now)] -= bucket.cost
        finally:
            _flock(descriptor, _UNLOCK)
            self._lock.release()
        return -at

    def charge(self, wanted: Sequence[Bucket], calls: int) -> None:
        """Take what `calls` calls take that have passed already, whether there is as much or not."""
        with self._lock:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                now = self._clock() * TICKS
                for bucket in wanted:
                    tat = self._locate(bucket.tag, now)
                    # Of a bucket that has lost its slot to others every token has come back since.
                    if tat:
                        self._words[tat] = max(self._words[tat], now) + calls * bucket.cost
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def levels(self, buckets: Sequence[Bucket]) -> list[float]:
        """How much of each one's burst is used, 0 to 1; takes no tokens, no slot and no lock.

        A bucket whose slot goes to another at this very moment may be told the other's.
        """
        now = self._clock() * TICKS
        return [self._level(bucket, now) for bucket in buckets]

    def _level(self, bucket: Bucket, now: int) -> float:
        tat = self._find(bucket.tag)
        ahead = self._words[tat] - now if tat else 0
        return min(max(ahead / bucket.ahead, 0.0), 1.0)

    def _locate(self, tag: int, now: int) -> int:
        """Index of the bucket's TAT; a free slot of its set becomes its own when it has none, 0 when all are used."""
        words = self._words
        tat = self._find(tag)
        if not tat:
            first = self._set_of(tag)
            used = range(now + 1, now + 2 * _HORIZON + 1)  # what lies beyond was never written by `take`
            slots = range(first + 1, first + _SET_WORDS, _SLOT_WORDS)
            tat = next((slot for slot in slots if words[slot] not in used), 0)
            if not tat:
                return 0
            words[tat] = now
            words[tat - 1] = tag
        if len(self._places) >= _REMEMBERED:
            self._places.clear()
        self._places[tag] = tat
        return tat

    def _find(self, tag: int) -> int:
        """Index of the bucket's TAT, 0 when it has no slot."""
        first = self._set_of(tag)
        tags = self._words[first : first + _SET_WORDS : _SLOT_WORDS].tolist()
        return first + tags.index(tag) * _SLOT_WORDS + 1 if tag in tags else 0

    def _set_of(self, tag: int) -> int:
        """Index of the first slot that the bucket can have."""
        return _FIRST + tag * self._secret % _PRIME % self._sets * _SET_WORDS

    def close(self) -> None:
        """Release the file."""
        self._words.release()
        self._memory.close()
        os.close(self._descriptor)
        self._descriptor = -1
