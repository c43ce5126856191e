"""Admission: all the limits a call needs, or none."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from kms_server.errors import ThrottlingException
from kms_server.quotas.buckets import Buckets
from kms_server.quotas.decision_log import DecisionLog
from kms_server.quotas.meters import Meters
from kms_server.quotas.plans import Count, Plan, Plans
from kms_server.quotas.profiles import Profile
from kms_server.quotas.rules import Held, LimitedKey
from kms_server.quotas.shared_buckets import Decision, SharedBuckets
from kms_server.quotas.tab import Tab
from kms_server.storage.limits import SetLimit


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
        self._plans = Plans({}, profile, meters)
        self._tab = None if shared or log else Tab(buckets, meters)

    @property
    def turn(self) -> AbstractContextManager[None]:
        """Within it calls of one thread may take their tokens together, those of which `take` is told so."""
        return self._tab or nullcontext()

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
            plans = self._plans = Plans(set_limits, self.profile, self._meters)
        return plans.of(counts, keys, principals)

    def take(self, plan: Plan, *, in_turn: bool = False) -> Pending | None:
        """Take the tokens of each limit of a plan. Where hosts share them the answer comes later, and has to be concluded then.

        `in_turn` is for the thread whose turns there are, where nothing is answered before the turn has ended.

        Raises:
            ThrottlingException: one of them has too few left; none was taken.
        """
        if not plan.buckets or (in_turn and self._tab is not None and self._tab.passes(plan)):
            return None
        at = self._ask(plan.buckets)
        if not isinstance(at, int):
            return Pending(plan, at)
        if at > 0 and self._log is None:
            self._meters.count(plan.places, 0)
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
