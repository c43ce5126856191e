"""Which limits hold for a call: worked out once for all calls that need the same."""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from kms_server.quotas.buckets import Bucket
from kms_server.quotas.meters import Meters
from kms_server.quotas.profiles import Profile
from kms_server.quotas.rules import LimitedKey, Rules
from kms_server.storage.limits import SetLimit

_REMEMBERED = 65_536

# What a call counts as: the account, the Region, the quota's id, and how many times.
Count: TypeAlias = tuple[str, str, str, int]
Mark: TypeAlias = tuple[object, ...]


class Plan(Struct, frozen=True, eq=False):
    """The buckets that a call takes from, and its limits: their names, and where they are counted."""

    buckets: tuple[Bucket, ...]
    limits: tuple[str, ...]
    places: tuple[int, ...]


class Plans:
    """The plans of calls under one state of the limits, by what tells one from another."""

    def __init__(self, set_limits: Mapping[str, SetLimit], profile: Profile, meters: Meters) -> None:
        self.set_limits = set_limits
        self._made: dict[Mark, Plan] = {}
        self._meters = meters
        self._rules = Rules(set_limits, profile)

    def of(
        self, counts: tuple[Count, ...], keys: tuple[LimitedKey, ...], principals: tuple[str, ...]
    ) -> Plan:
        """The plan of a call, kept for all that need the same limits."""
        rules = self._rules
        if len(keys) == 1 and rules.are_plain:
            # Keys without a limit of their own are all alike here, however many there are.
            key_id = keys[0].key.key_id
            mark: Mark = (counts, key_id) if key_id in rules.limited_keys else counts
        else:
            marks = [(key.key.key_id, *rules.marks(key)) for key in keys]
            mark = (counts, *marks, principals if rules.by_principal else None)
        plan = self._made.get(mark)
        if plan is None:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            plan = self._made[mark] = self._plan(counts, keys, principals)
        return plan

    def _plan(
        self, counts: tuple[Count, ...], keys: tuple[LimitedKey, ...], principals: tuple[str, ...]
    ) -> Plan:
        found: dict[str, tuple[Bucket, str]] = {}
        for account, region, quota_id, tokens in counts:
            for held in self._rules.of_quota(account, region, quota_id):
                found[held.holder] = (held.bucket(tokens), held.subject)
        for key in keys:
            for held in self._rules.of_key(key):
                found[held.holder] = (held.bucket(), held.subject)
        for held in self._rules.of_principals(principals):
            found[held.holder] = (held.bucket(), held.subject)
        limits = tuple(dict.fromkeys(subject for _, subject in found.values()))
        buckets = tuple(bucket for bucket, _ in found.values())
        return Plan(buckets, limits, tuple(self._meters.place(limit) for limit in limits))
