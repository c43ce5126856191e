"""Admission: all the limits a call needs, or none."""

from collections.abc import Iterable
from typing import NamedTuple

from kms_server.errors import ThrottlingException
from kms_server.quotas.buckets import Bucket, Buckets

_REMEMBERED = 65_536


class Limit(NamedTuple):
    """`rate` calls per second of `subject`, `burst` of them at once."""

    subject: str
    rate: float
    burst: float


class Limiter:
    """Admits calls by the buckets of the host; `profile` names the table of limits that holds where none is set."""

    def __init__(self, buckets: Buckets, profile: str) -> None:
        self.profile = profile
        self._buckets = buckets
        self._made: dict[Limit, Bucket] = {}

    def admit(self, wanted: Iterable[Limit]) -> None:
        """Take one token of each limit.

        Raises:
            ThrottlingException: one of them has none left; none was taken.
        """
        buckets = [self._bucket(limit) for limit in wanted]
        if buckets and not self._buckets.take(buckets):
            raise ThrottlingException

    def _bucket(self, limit: Limit) -> Bucket:
        bucket = self._made.get(limit)
        if bucket is None:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            bucket = self._made[limit] = Bucket.of(*limit)
        return bucket
