"""Which limits a call needs, and the values of quotas."""

from sqlalchemy import Connection

from kms_server.errors import KMSInternalException
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.specs import KeySpec
from kms_server.operations import injection
from kms_server.operations.call import Call, Countable, Operation, Settled
from kms_server.quotas import subjects
from kms_server.quotas.limiter import Undecided
from kms_server.quotas.plans import Count, Plan
from kms_server.quotas.profiles import Profile
from kms_server.quotas.table import UNLIMITED
from kms_server.storage import limits

SYMMETRIC = "CryptographicOperationsSymmetric"
# Services whose operations share one quota.
_OF_SERVICE = {"iam": "IamRequests", "servicequotas": "ServiceQuotasRequests", "sts": "StsRequests"}


def charge(call: Call, *keys: UsableKey, pair: KeySpec | None = None) -> None:
    """Take the tokens of every limit the call needs, or none of any; a call is charged once.

    `keys` are those a cryptographic operation uses; a data key pair counts by the spec of the pair instead. Without
    keys the operation's own quota is charged.

    Raises:
        ThrottlingException: one of them is exhausted.
        Undecided: it is not known yet, and the call may not wait; it comes again.
        ServiceError: a fault that was injected.
    """
    if call.charged:
        _settle(call)
        return
    settled = call.settled
    if settled is not None and (pair is not None or len(keys) != 1 or keys[0] is not settled.usable):
        settled = None
    if settled is not None and settled.plan is not None:
        call.charged = True
        plan = settled.plan
    else:
        plan = _plan(call, keys, pair, settled)
    call.pending = call.services.limiter.take(plan, in_turn=not call.may_block)
    if call.pending is not None:
        _settle(call)


def _plan(call: Call, keys: tuple[UsableKey, ...], pair: KeySpec | None, settled: Settled | None) -> Plan:
    """What the limits take from a call, which counts as charged from here on, unless a fault is injected.

    It is kept with what is settled of the call.
    """
    services = call.services
    set_limits, faults = services.keyring.bounds(may_block=call.may_block)
    call.charged = True
    if faults:
        injection.meet(call, faults, keys)
    account, region = call.principal.account, call.region
    counts: tuple[Count, ...]
    if not keys:
        counts = without_key(call)
    elif pair is not None and pair.pair_quota is not None:
        counts = ((account, region, pair.pair_quota, 1),)
    elif len(keys) == 1:
        counts = ((account, region, keys[0].spec.quota, 1),)
    else:
        counts = tuple((account, region, usable.spec.quota, 1) for usable in keys)
    plan = services.limiter.plan(set_limits, counts, keys, call.principal.arns)
    if settled is not None and not faults:
        settled.plan = plan
    return plan


def _settle(call: Call) -> None:
    """Wait for the decision of limits that hosts share, if one is due."""
    pending = call.pending
    if pending is None:
        return
    if not pending.decision.done:
        if not call.may_block:
            raise Undecided(pending.decision)
        if not pending.decision.wait(call.services.limits.audit_deadline):
            call.pending = None
            raise KMSInternalException
    call.pending = None
    call.services.limiter.conclude(pending)


def without_key(call: Countable) -> tuple[Count, ...]:
    """What a call counts as that uses no key, or was refused before one was found."""
    return call.operation.counts(call) if call.operation.counts else (own_count(call),)


def own_count(call: Countable) -> Count:
    """One call against the operation's own quota."""
    return call.account, call.region, own_quota(call.operation), 1


def own_quota(operation: Operation) -> str:
    """The quota that a call counts against where no key does."""
    return SYMMETRIC if operation.shared_quota else _OF_SERVICE.get(operation.service, operation.name)


def most(call: Call, account: str, region: str, quota_id: str) -> int:
    """How many there may be by a resource quota."""
    return int(min(value(call, account, region, quota_id), UNLIMITED))


def value(call: Call, account: str, region: str, quota_id: str) -> float:
    """The value of a quota, as the call's transaction or the keyring sees it; UNLIMITED where nothing limits it."""
    services = call.services
    profile = services.limiter.profile
    if call.tx is not None:
        return value_within(call.tx.connection, profile, account, region, quota_id)
    set_limits = services.keyring.limits(may_block=call.may_block)
    return profile.value(quota_id, region, set_limits.get(subjects.of_quota(account, region, quota_id)))


def value_within(connection: Connection, profile: Profile, account: str, region: str, quota_id: str) -> float:
    """The value of a quota, as a transaction sees it."""
    return profile.value(
        quota_id, region, limits.get(connection, subjects.of_quota(account, region, quota_id))
    )
