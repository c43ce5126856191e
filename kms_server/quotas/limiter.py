"""Admission: all the limits a call needs, or none."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from kms_server.errors import ThrottlingException
from kms_server.quotas.buckets import Bucket, Buckets
from kms_server.quotas.decision_log import DecisionLog
from kms_server.quotas.meters import Meters
from kms_server.quotas.profiles import Profile
from kms_server.quotas.rules import Held, LimitedKey, Rules
from kms_server.quotas.shared_buckets import Decision, SharedBuckets
from kms_server.storage.limits import SetLimit

_REMEMBERED = 65_536


# What a call counts as: the account, the Region, the quota's id, and how many times.
Count: TypeAlias = tuple[str, str, str, int]
Mark: TypeAlias = tuple[object, ...]


class Plan(NamedTuple):
    """The buckets that a call takes from, and its limits: their names, and where they are counted."""

    buckets: tuple[Bucket, ...]
    limits: tuple[str, ...]
    places: tuple[int, ...]


class Pending(NamedTuple):
    """A call that waits for what other hosts share."""

    plan: Plan
    decision: Decision


class Undecided(Exception):
    """A call that may not wait has to, for `decision`; it takes nothing when it comes back."""

    def __init__(self, decision: Decision) -> None:
        super().__init__()
        self.decision = decision


class Limiter:
    """Admits calls; `profile` has the limits that hold where none is set, `meters` counts what passes.

    `shared` are the buckets of all hosts, where there are several; `log` is told each decision.
    """

    def __init__(
        self, buckets: Buckets, profile: Profile, meters: Meters, shared: SharedBuckets | None = None,
        log: DecisionLog | None = None,
    ) -> None:  # fmt: skip
        self._buckets = buckets
        self._ask = shared.ask if shared else buckets.take
        self._meters = meters
        self._log = log
        self.profile = profile
        self.shared = shared
        self._plans = _Plans({}, profile, meters)

    def plan(
        self, set_limits: Mapping[str, SetLimit], counts: tuple[Count, ...], keys: tuple[LimitedKey, ...] = (),
        principals: tuple[str, ...] = (),
    ) -> Plan:  # fmt: skip
        """All limits that hold for a call: of quotas, of the keys it uses, of who makes it. It is good until a limit is set.

        `principals` are all ARNs of the caller. `set_limits` has the limits that were set; passing the same mapping again
        saves working out what follows from it.
        """
        plans = self._plans
        if plans.set_limits is not set_limits:
            plans = self._plans = _Plans(set_limits, self.profile, self._meters)
        if len(keys) == 1 and plans.are_plain:
            # Keys without a limit of their own are all alike here, however many there are.
            key_id = keys[0].key.key_id
            mark: Mark = (counts, key_id) if key_id in plans.limited_keys else counts
        else:
            mark = plans.mark(counts, keys, principals)
        plan = plans.made.get(mark)
        return plans.make(mark, counts, keys, principals) if plan is None else plan

    def take(self, plan: Plan) -> Pending | None:
        """Take the tokens of each limit of a plan. Where hosts share them the answer comes later, and has to be concluded then.

        Raises:
            ThrottlingException: one of them has too few left; none was taken.
        """
        buckets, _, places = plan
        if not buckets:
            return None
        at = self._ask(buckets)
        if not isinstance(at, int):
            return Pending(plan, at)
        if at > 0 and self._log is None:
            self._meters.count(places, 0)
        else:
            self._conclude(plan, at)
        return None

    def conclude(self, pending: Pending) -> None:
        """Go on with a call whose decision is there.

        Raises:
            ThrottlingException: as `take`.
        """
        self._conclude(pending.plan, pending.decision.at)

    def _conclude(self, plan: Plan, at: int) -> None:
        passed = at > 0
        if self._log is not None:
            self._log.write(abs(at), plan.limits, passed=passed)
        self._meters.count(plan.places, 0 if passed else 1)
        if not passed:
            raise ThrottlingException

    def levels(self, limits: Sequence[Held]) -> dict[str, float]:
        """How much of each limit's burst is used now, 0 to 1, by subject; takes no tokens."""
        levels = (self.shared or self._buckets).levels([held.bucket() for held in limits])
        return {held.subject: level for held, level in zip(limits, levels, strict=True)}


class _Plans:
    """The plans of calls under one state of the limits, by what tells one from another."""

    def __init__(self, set_limits: Mapping[str, SetLimit], profile: Profile, meters: Meters) -> None:
        self.set_limits = set_limits
        self.made: dict[Mark, Plan] = {}
        self._meters = meters
        self._rules = rules = Rules(set_limits, profile)
        self.are_plain, self.limited_keys = rules.are_plain, rules.limited_keys

    def mark(
        self, counts: tuple[Count, ...], keys: tuple[LimitedKey, ...], principals: tuple[str, ...]
    ) -> Mark:
        """What calls have in common that need the same limits."""
        rules = self._rules
        marks = [(key.key.key_id, *rules.marks(key)) for key in keys]
        return (counts, *marks, principals if rules.by_principal else None)

    def make(
        self, mark: Mark, counts: tuple[Count, ...], keys: tuple[LimitedKey, ...], principals: tuple[str, ...]
    ) -> Plan:
        """The plan of a call, kept for others of its mark."""
        if len(self.made) >= _REMEMBERED:
            self.made.clear()
        plan = self.made[mark] = self._plan(counts, keys, principals)
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
