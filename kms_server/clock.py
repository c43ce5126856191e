"""The service's clock: epoch seconds that an administrator may move forward.

Key rules and event times ask this clock. Signature freshness, limits and TLS use real time.
"""

import time
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

DAY = 86_400.0


class Clock:
    """Real time plus an offset in seconds that only grows."""

    def __init__(self, offset: float = 0.0) -> None:
        self._offset = offset
        self._milliseconds = round(offset * 1_000)

    @property
    def offset(self) -> float:
        """Seconds by which the service's time is ahead of real time."""
        return self._offset

    def advance_to(self, offset: float) -> None:
        """Adopt `offset` unless it would move the clock back."""
        self._offset = max(self._offset, offset)
        self._milliseconds = round(self._offset * 1_000)

    def now(self) -> float:
        """The service's time in epoch seconds, to the millisecond."""
        return (time.time_ns() // 1_000_000 + self._milliseconds) / 1_000


def real_now() -> float:
    """Real time in epoch seconds."""
    return time.time()


def http_date(epoch: float) -> str:
    """`epoch` as HTTP writes it (RFC 9110 section 5.6.7)."""
    return formatdate(int(epoch), usegmt=True)


def iso_seconds(epoch: float) -> str:
    """`epoch` as `YYYY-MM-DDTHH:MM:SSZ`, cut to the second."""
    return _iso(int(epoch))


def iso_millis(epoch: float) -> str:
    """`epoch` as `YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    return f"{_iso(int(epoch))[:-1]}.{int(epoch * 1_000) % 1_000:03}Z"


@lru_cache(maxsize=64)
def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
