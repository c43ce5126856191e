"""Ids of requests and events.

Both must be unique, and nobody must be kept from guessing them, so they come from a generator that is seeded by the
operating system anew in each process: asking the operating system every time costs a call more than all else here.
Event ids are UUIDs of version 7 (RFC 9562): their order is the order of time to the millisecond.
"""

from functools import lru_cache
from random import getrandbits

_VERSION_4 = 0x4 << 76 | 0x2 << 62  # with the variant
_VERSION_7 = 0x7 << 76 | 0x2 << 62
_FREE = ~((0xF << 76) | (0x3 << 62))
_TAIL = (1 << 80) - 1
_LATEST = (1 << 48) - 1  # milliseconds


def new_request_id() -> str:
    """A fresh request id: a UUID of version 4."""
    return _text(getrandbits(128) & _FREE | _VERSION_4)


def new(epoch: float) -> str:
    """A fresh id for an event at `epoch` (seconds)."""
    return _shape(epoch, getrandbits(80))


def of_request(request_id: str, epoch: float) -> str:
    """The id of the event at `epoch` (seconds) that a request is: its random digits are those of the request's id."""
    return f"{_time(epoch)}-7{request_id[15:]}"


@lru_cache(maxsize=8)
def _time(epoch: float) -> str:
    digits = f"{round(epoch * 1_000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def floor(epoch: float) -> str:
    """The smallest id an event at `epoch` can have."""
    return _shape(epoch, 0)


def _shape(epoch: float, tail: int) -> str:
    milliseconds = min(max(0, round(epoch * 1000)), _LATEST)
    return _text(milliseconds << 80 | (tail & _TAIL & _FREE) | _VERSION_7)


def _text(value: int) -> str:
    # Six bytes between dashes, counted from the end: the first and the last dash are in their places.
    digits = value.to_bytes(16).hex("-", 6)
    return f"{digits[:13]}-{digits[13:17]}-{digits[17:]}"


def time_of(event_id: str) -> float:
    """When an event was, by its id: epoch seconds, to the millisecond."""
    return int(event_id.replace("-", "")[:12], 16) / 1000
