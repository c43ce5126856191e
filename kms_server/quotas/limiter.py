"""Admission: all the limits a call needs, or none."""

from collections.abc import Mapping

from kms_server.errors import ThrottlingException
from kms_server.quotas import table
from kms_server.quotas.buckets import Bucket, Buckets
from kms_server.storage.limits import SetLimit

_REMEMBERED = 65_536


def quota_subject(account: str, region: str, quota_id: str) -> str:
    """The subject of an account's request quota in a Region."""
    return f"quota:{account}:{region}:{quota_id}"


def key_subject(key_id: str) -> str:
    """The subject of a limit set on one key."""
    return f"key:{key_id}"


class Limiter:
    """Admits calls by the buckets of the host; `profile` names the table of limits that holds where none is set."""

    def __init__(self, buckets: Buckets, profile: str) -> None:
        self._buckets = buckets
        self._profile = profile
        self._plans = _Plans({}, profile)

    def admit(self, set_limits: Mapping[str, SetLimit], subjects: tuple[str, ...]) -> None:
        """Take one token of each limit that holds for one of the subjects.

        `set_limits` has those that were set; passing the same mapping again saves working out what follows from it.

        Raises:
            ThrottlingException: one of them has none left; none was taken.
        """
        plans = self._plans
        if plans.set_limits is not set_limits:
            plans = self._plans = _Plans(set_limits, self._profile)
        wanted = plans.buckets(subjects)
        if wanted and not self._buckets.take(wanted):
            raise ThrottlingException


class _Plans:
    """Which buckets a call takes from, for each combination of subjects under one state of the limits."""

    def __init__(self, set_limits: Mapping[str, SetLimit], profile: str) -> None:
        self.set_limits = set_limits
        self._profile = profile
        self._made: dict[tuple[str, ...], tuple[Bucket, ...]] = {}

    def buckets(self, subjects: tuple[str, ...]) -> tuple[Bucket, ...]:
        found = self._made.get(subjects)
        if found is None:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            distinct = dict.fromkeys(subjects)
            found = tuple(bucket for subject in distinct if (bucket := self._bucket(subject)) is not None)
            self._made[subjects] = found
        return found

    def _bucket(self, subject: str) -> Bucket | None:
        """The bucket of the limit that was set, else of the profile's; None when there is none."""
        set_limit = self.set_limits.get(subject)
        burst = None
        if set_limit is not None:
            rate, burst = set_limit.rate, set_limit.burst
        else:
            kind, *place = subject.split(":")
            profiled = table.rate(place[2], place[1], self._profile) if kind == "quota" else None
            if profiled is None:
                return None
            rate = profiled
        return Bucket.of(subject, rate, table.default_burst(rate) if burst is None else burst)
