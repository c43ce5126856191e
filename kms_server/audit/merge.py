"""One ordered stream of records out of many parts, each opened only when its turn comes.

A log grows to hundreds of files, and most questions touch a few: a part that knows where it begins waits unopened
until the merge is there, and is closed when it is exhausted, so few files are open at a time.
"""

import heapq
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

from kms_server.audit.record import Row

Rows: TypeAlias = Generator[Row, None, None]
# Place in the order, a number that settles ties, a row, and the rest of its part.
_Entry: TypeAlias = tuple[float, int, Row, Rows]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows in order; none of them comes before event id `start` (None: not known)."""

    start: str | None
    open: Callable[[], Rows]


def merged(parts: Iterable[Part], *, newest_first: bool) -> Rows:
    """All rows in the order of their event ids, each id once; parts come in the order of `begins`."""
    serial = count()
    place = begins(newest_first=newest_first)
    waiting = iter(parts)
    following = next(waiting, None)
    heap: list[_Entry] = []
    last = None
    try:
        while heap or following is not None:
            if following is not None and (not heap or place(following.start) <= heap[0][0]):
                rest = following.open()
                following = next(waiting, None)
            else:
                _, _, row, rest = heapq.heappop(heap)
                if row.event_id != last:
                    last = row.event_id
                    yield row
            one = next(rest, None)
            if one is not None:
                heapq.heappush(heap, (place(one.event_id), next(serial), one, rest))
    finally:
        for _, _, _, rest in heap:
            rest.close()


def begins(*, newest_first: bool) -> Callable[[str | None], float]:
    """The place of an event id in the order; what is not known comes before all."""
    sign = -1 if newest_first else 1

    def place(event_id: str | None) -> float:
        return float("-inf") if event_id is None else sign * int.from_bytes(event_id.encode())

    return place
