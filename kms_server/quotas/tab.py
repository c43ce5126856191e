"""What the calls of one turn of an event loop owe to limits that have plenty left."""

from math import inf

from msgspec import Struct

from kms_server.quotas.buckets import Buckets
from kms_server.quotas.meters import Meters
from kms_server.quotas.plans import Plan

# So many calls of a turn take their own tokens before it is worth looking what is left.
_ALONE = 3
# A turn may owe a 128th of a burst of which half is left, where that is 8 calls or more. So much is there even when 32 workers
# owe it at once and others have taken a quarter of the burst since.
_PARTS, _LEAST = 128, 8


class _Account(Struct, eq=False):
    """Calls of a turn that need the same limits: how many more take their own tokens, how many may pass, how many have."""

    alone: float = _ALONE - 1
    left: int = 0
    owed: int = 0


class Tab:
    """Lets calls of a turn pass where limits have plenty left, and takes their tokens together when the turn ends.

    The lock of a host's buckets takes longer than all else that limits do for a call. A turn is a context, of one thread;
    outside of turns every call takes its own tokens.
    """

    def __init__(self, buckets: Buckets, meters: Meters) -> None:
        self._buckets = buckets
        self._meters = meters
        self._accounts: dict[Plan, _Account] = {}
        self._is_open = False

    def __enter__(self) -> None:
        """Begin a turn."""
        self._is_open = True

    def __exit__(self, *_: object) -> None:
        """Take what is owed."""
        accounts, self._accounts, self._is_open = self._accounts, {}, False
        for plan, account in accounts.items():
            self._settle(plan, account)

    def passes(self, plan: Plan) -> bool:
        """Whether a call passes by this; else it has to take its own tokens."""
        account = self._accounts.get(plan)
        if account is None:
            if self._is_open:
                self._accounts[plan] = _Account()
            return False
        if not account.left:
            if account.alone:
                account.alone -= 1
                return False
            self._look(plan, account)
            if not account.left:
                return False
        account.left -= 1
        account.owed += 1
        return True

    def _look(self, plan: Plan, account: _Account) -> None:
        """See how many more calls may pass; where none, the others of the turn are on their own."""
        self._settle(plan, account)
        most = min(bucket.ahead // (_PARTS * bucket.cost) for bucket in plan.buckets)
        if most >= _LEAST and max(self._buckets.levels(plan.buckets)) <= 1 / 2:
            account.left = most
        else:
            account.alone = inf

    def _settle(self, plan: Plan, account: _Account) -> None:
        if account.owed:
            self._buckets.charge(plan.buckets, account.owed)
            self._meters.count(plan.places, 0, account.owed)
            account.owed = 0
