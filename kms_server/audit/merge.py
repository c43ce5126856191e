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
# Place in the order, a number that settles ties, and the row with the rest of its part, or the part to open.
_Entry: TypeAlias = "tuple[float, int, tuple[Row, Rows] | Part]"


@dataclass(frozen=True, slots=True)
class Part:
    """Rows in order; none of them comes before event id `start` (None: not known)."""

    start: str | None
    open: Callable[[], Rows]


def merged(parts: Iterable[Part], *, newest_first: bool) -> Rows:
    """All rows in the order of their event ids, each id once."""
    serial = count()
    sign = -1 if newest_first else 1

    def place(event_id: str) -> int:
        return sign * int.from_bytes(event_id.encode())

    heap: list[_Entry] = [
        (float("-inf") if part.start is None else place(part.start), next(serial), part) for part in parts
    ]
    heapq.heapify(heap)
    last = None
    try:
        while heap:
            _, _, head = heapq.heappop(heap)
            if isinstance(head, Part):
                rest = head.open()
            else:
                row, rest = head
                if row.event_id != last:
                    last = row.event_id
                    yield row
            following = next(rest, None)
            if following is not None:
                heapq.heappush(heap, (place(following.event_id), next(serial), (following, rest)))
    finally:
        for _, _, head in heap:
            if not isinstance(head, Part):
                head[1].close()
