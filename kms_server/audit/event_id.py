"""Ids of requests and events.

Both must be unique, and nobody must be kept from guessing them, so they come from a generator that is seeded by the
operating system anew in each process: asking the operating system every time costs a call more than all else here.
Event ids are UUIDs of version 7 (RFC 9562): their order is the order of time to the millisecond.
"""

from functools import lru_cache
from random import getrandbits

_VERSION_4 = 0x4 << 76
_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62
_FREE = ~((0xF << 76) | (0x3 << 62))
_TAIL = (1 << 80) - 1


def new_request_id() -> str:
    """A fresh request id: a UUID of version 4."""
    return _text(getrandbits(128) & _FREE | _VERSION_4 | _VARIANT)


def new(epoch: float) -> str:
    """A fresh id for an event at `epoch` (seconds)."""
    return _shape(epoch, getrandbits(80))


def of_request(request_id: str, epoch: float) -> str:
    """The id of the event at `epoch` (seconds) that a request is: its random digits are those of the request's id."""
    return f"{_time(round(epoch * 1_000))}-7{request_id[15:]}"


@lru_cache(maxsize=8)
def _time(milliseconds: int) -> str:
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def floor(epoch: float) -> str:
    """The smallest id an event at `epoch` can have."""
    return _shape(epoch, 0)


def _shape(epoch: float, tail: int) -> str:
    milliseconds = max(0, round(epoch * 1000)) << 80
    return _text(milliseconds | (tail & _TAIL & _FREE) | _VERSION_7 | _VARIANT)


def _text(value: int) -> str:
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def time_of(event_id: str) -> float:
    """When an event was, by its id: epoch seconds, to the millisecond."""
    return int(event_id.replace("-", "")[:12], 16) / 1000
