"""Counting records by what they have in common, over time, in memory that does not grow with the log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from kms_server.audit.matching import OBJECT_PAIR, contexts, unnamed_caller
from kms_server.audit.record import Row

_HOUR, _DAY, _WEEK = 3_600, 86_400, 604_800
_SIZES = (
    60, 300, 900, 1_800, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, _WEEK, 4 * _WEEK, 13 * _WEEK, 52 * _WEEK
)  # fmt: skip
_NONE = "(none)"
Values: TypeAlias = Callable[[Row], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Periods:
    """Equal periods of time: `count` of them of `size` seconds, from `first` (epoch seconds) on."""

    first: int
    size: int
    count: int

    @classmethod
    def between(cls, since: float, until: float, *, most: int, size: int | None = None) -> "Periods":
        """The periods of that size, or of the smallest usual one of which there are at most `most`."""
        if size is None:
            usual = (one for one in _SIZES if (until - since) / one < most)
            size = next(usual, None) or _SIZES[-1] * (int((until - since) / _SIZES[-1] / most) + 1)
        first = int(since // size) * size
        return cls(first, size, int((until - first) // size) + 1)

    def number(self, epoch: float) -> int:
        """Which period a time is in; times beyond the ends are in the outermost ones."""
        return min(max(int((epoch - self.first) // self.size), 0), self.count - 1)

    def starts(self) -> list[int]:
        """When each begins."""
        return [self.first + number * self.size for number in range(self.count)]


@dataclass(frozen=True, slots=True)
class Line:
    """How often a value was seen, and how often in each period; `value` is None for all values that have no line."""

    value: str | None
    calls: int
    over_time: Sequence[int]


@dataclass(slots=True)
class Tally:
    """Counts of values over time. Beyond `most_values` different ones, those that are new are counted together."""

    periods: Periods
    most_values: int = 10_000
    records: int = 0
    _counts: dict[str, list[int]] = field(default_factory=dict)
    _rest: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rest = [0] * self.periods.count

    def add(self, values: Sequence[str], epoch: float) -> None:
        """Count a record, once under each of its values."""
        self.records += 1
        number = self.periods.number(epoch)
        for value in values:
            counts = self._counts.get(value)
            if counts is None:
                counts = self._rest
                if len(self._counts) < self.most_values:
                    counts = self._counts[value] = [0] * self.periods.count
            counts[number] += 1

    def top(self, most: int) -> list[Line]:
        """A line for each of the most frequent values, then one for all others if there are any."""
        counted = ((value, sum(counts), counts) for value, counts in self._counts.items())
        ordered = sorted(counted, key=lambda one: (-one[1], one[0]))
        lines = [Line(*one) for one in ordered[:most]]
        others = [counts for _, _, counts in ordered[most:]]
        rest = [sum(column) for column in zip(self._rest, *others, strict=True)]
        return [*lines, Line(None, sum(rest), rest)] if any(rest) else lines


def _keys(row: Row) -> Sequence[str]:
    """The KMS keys that a call is about, of which ReEncrypt has two."""
    named = (arn for arn in (row.resource_1, row.resource_2) if arn and ":key/" in arn)
    return tuple(dict.fromkeys(named)) or (_NONE,)


def _principal(row: Row) -> Sequence[str]:
    record = orjson.loads(row.record)
    arn = (record.get("userIdentity") or {}).get("arn")
    return (arn or row.username or unnamed_caller(record) or _NONE,)


def _objects(row: Row) -> Sequence[str]:
    found = (one.get(OBJECT_PAIR) for one in contexts(orjson.loads(row.record)))
    return tuple(arn for arn in found if arn) or (_NONE,)


# What can be counted by, and the values that a record has of it.
DIMENSIONS: Mapping[str, Values] = {
    "key": _keys,
    "principal": _principal,
    "user": lambda row: (row.username or _NONE,),
    "event": lambda row: (row.event_name,),
    "error": lambda row: (row.error_code or _NONE,),
    "source-ip": lambda row: (orjson.loads(row.record).get("sourceIPAddress") or _NONE,),
    "object": _objects,
    "service": lambda row: (row.event_source,),
    "account": lambda row: (row.account,),
    "region": lambda row: (row.region,),
}
# Counted by time alone; seconds of a period, None: whatever fits.
SPANS: Mapping[str, int | None] = {"time": None, "hour": _HOUR, "day": _DAY}
