"""What limits would have done to the calls of the past.

The buckets are those of the server, under the clock of the log. Where the log has whole seconds alone, when a call came
within its second is not known, and two readings are followed: the least that could have been throttled, and the most.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kms_server.quotas.attempts import Attempt
from kms_server.quotas.buckets import TICKS, Bucket
from kms_server.quotas.plans import Count
from kms_server.quotas.profiles import Allowed
from kms_server.quotas.rules import Rules

_MILLISECOND = 1_000_000 * TICKS
_SECOND = 1_000 * _MILLISECOND
_Tags = Sequence[int]


class Second(NamedTuple):
    """A second of the log, in seconds since 1970: the tokens that were asked for in it, and the calls it throttled at most."""

    start: int = 0
    tokens: int = 0
    throttled: int = 0


_NO_SECOND = Second()


@dataclass(slots=True)
class Load:
    """What a quota of an account in a Region was asked for, and what of it the limit would have refused.

    `allowed` is None without limit. `least` and `most` are the throttled calls by the two
    readings, `first` and `last` times of such in milliseconds since 1970. `peak` is the busiest second, `worst` the one
    that throttled most. A call that was refused for want of another quota's tokens does not count as throttled here.
    """

    account: str
    region: str
    quota_id: str
    allowed: Allowed | None
    calls: int = 0
    least: int = 0
    most: int = 0
    first: int = 0
    last: int = 0
    peak: Second = _NO_SECOND
    worst: Second = _NO_SECOND
    _start: int = -1
    _tokens: int = 0
    _throttled: int = 0

    def add(self, time: int, tokens: int, *, least: bool, most: bool) -> None:
        """Count a call, and whether it was throttled by each of the two readings."""
        if time // 1_000 != self._start:
            self.end_second()
            self._start = time // 1_000
        self.calls += 1
        self._tokens += tokens
        self.least += least
        if most:
            self.first = self.first if self.most else time
            self.last = time
            self.most += 1
            self._throttled += 1

    def end_second(self) -> None:
        """Compare the second that is over with those before."""
        now = Second(self._start, self._tokens, self._throttled)
        self.peak = now if now.tokens > self.peak.tokens else self.peak
        self.worst = now if now.throttled > self.worst.throttled else self.worst
        self._tokens = self._throttled = 0


class _Spread:
    """The least: within its second, a call comes as soon as it conforms."""

    def __init__(self) -> None:
        self._arrivals: dict[int, int] = defaultdict(int)

    def short(self, wanted: Sequence[Bucket], begin: int, end: int) -> _Tags:
        """Take the tokens of every bucket or none of any: the tags of those that have too few."""
        arrivals = self._arrivals
        at = max([begin, *[arrivals[bucket.tag] - bucket.room for bucket in wanted]])
        if at > end:
            return [bucket.tag for bucket in wanted if arrivals[bucket.tag] - bucket.room > end]
        for bucket in wanted:
            arrivals[bucket.tag] = max(arrivals[bucket.tag], at) + bucket.cost
        return ()


@dataclass(slots=True)
class _Clump:
    """The calls of a second on a bucket: `before` is its theoretical arrival time when it begins, `arrival` after them."""

    begin: int
    end: int
    before: int
    arrival: int
    refused: bool = False

    def settled(self, now: int) -> int:
        """The theoretical arrival time at a later moment."""
        if now <= self.end or (self.refused and self.before > self.begin):
            return self.arrival
        # At the second's end as many would have passed, and that leaves less for the next.
        return max(self.before, self.end) + self.arrival - max(self.before, self.begin)


class _AtOnce:
    """The most: all calls of a second come at once, at its beginning or at its end, whichever throttles more."""

    def __init__(self) -> None:
        self._clumps: dict[int, _Clump] = {}

    def short(self, wanted: Sequence[Bucket], begin: int, end: int) -> _Tags:
        """Take the tokens of every bucket or none of any: the tags of those that have too few."""
        clumps = [self._clump(bucket.tag, begin, end) for bucket in wanted]
        short = [
            bucket.tag
            for bucket, clump in zip(wanted, clumps, strict=True)
            if clump.arrival - begin > bucket.room
        ]
        for bucket, clump in zip(wanted, clumps, strict=True):
            if not short:
                clump.arrival += bucket.cost
            elif bucket.tag in short:
                clump.refused = True
        return short

    def _clump(self, tag: int, begin: int, end: int) -> _Clump:
        clump = self._clumps.get(tag)
        if clump is None or clump.begin != begin:
            before = clump.settled(begin) if clump else 0
            clump = self._clumps[tag] = _Clump(begin, end, before, max(before, begin))
        return clump


class _Part(NamedTuple):
    """One of the quotas that calls of a kind count against."""

    load: Load
    tokens: int
    tag: int


class _Kind(NamedTuple):
    """Calls that count against the same quotas."""

    parts: tuple[_Part, ...]
    buckets: tuple[Bucket, ...]


class Replay:
    """Takes attempts in the order of their times; `rules` are the limits that would have held.

    `calls` is how many there were, `cut` how many of them have times that are cut to the second; `first` and `last` are
    times in milliseconds since 1970.
    """

    def __init__(self, rules: Rules) -> None:
        self.calls = self.cut = self.first = self.last = 0
        self._rules = rules
        self._loads: dict[tuple[str, str, str], Load] = {}
        self._kinds: dict[tuple[Count, ...], _Kind] = {}
        self._spread = _Spread()
        self._at_once = _AtOnce()

    def add(self, attempt: Attempt) -> None:
        """Let a call happen again."""
        time, exact, _, counts = attempt
        self.first = self.first if self.calls else time
        self.last = time
        self.calls += 1
        self.cut += not exact
        kind = self._kinds.get(counts)
        if kind is None:
            kind = self._kinds[counts] = self._kind(counts)
        begin = time * _MILLISECOND
        end = begin if exact else begin + _SECOND - 1
        least = self._spread.short(kind.buckets, begin, end)
        most = self._at_once.short(kind.buckets, begin, end)
        for load, tokens, tag in kind.parts:
            load.add(time, tokens, least=tag in least, most=tag in most)

    def loads(self) -> list[Load]:
        """What each quota was asked for: the most throttled first, then those nearest to their limits."""
        for load in self._loads.values():
            load.end_second()
        return sorted(self._loads.values(), key=_urgency)

    def _kind(self, counts: Sequence[Count]) -> _Kind:
        buckets, parts = {}, {}
        for account, region, quota_id, tokens in counts:
            place = (account, region, quota_id)
            held = next(self._rules.of_quota(*place), None)
            if place not in self._loads:
                self._loads[place] = Load(*place, held and held.allowed)
            if held is not None:
                buckets[place] = held.bucket(tokens)
            parts[place] = _Part(self._loads[place], tokens, buckets[place].tag if held else 0)
        return _Kind(tuple(parts.values()), tuple(buckets.values()))


def _urgency(load: Load) -> tuple[float, ...]:
    pressure = load.peak.tokens / load.allowed.value if load.allowed else 0.0
    return (-load.most, -pressure, -load.calls)
