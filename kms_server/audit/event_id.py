"""Event ids: UUIDs of version 7 (RFC 9562), so that their order is the order of time to the millisecond."""

import os
import uuid


def new(epoch: float) -> str:
    """A fresh id for an event at `epoch` (seconds)."""
    return _shape(epoch, os.urandom(10))


def floor(epoch: float) -> str:
    """The smallest id an event at `epoch` can have."""
    return _shape(epoch, bytes(10))


def _shape(epoch: float, tail: bytes) -> str:
    milliseconds = max(0, round(epoch * 1000)).to_bytes(6, "big")
    body = bytearray(milliseconds + tail)
    body[6] = 0x70 | body[6] & 0x0F
    body[8] = 0x80 | body[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(body)))
