"""Which limits a call needs."""

from functools import lru_cache

from kms_server.keys.specs import find
from kms_server.operations.call import Call, Services
from kms_server.quotas import table
from kms_server.quotas.limiter import Limit

SYMMETRIC = "CryptographicOperationsSymmetric"


def quota_subject(account: str, region: str, quota_id: str) -> str:
    """The subject of an account's request quota in a Region."""
    return f"quota:{account}:{region}:{quota_id}"


def key_subject(key_id: str) -> str:
    """The subject of a limit set on one key."""
    return f"key:{key_id}"


def charge(call: Call, *keys: tuple[str, str]) -> None:
    """Take one token of every limit the call needs, or none of any; a call is charged once.

    `keys` gives id and spec of the keys a cryptographic operation uses; without keys the operation's own
    quota is charged.

    Raises:
        ThrottlingException: one of them is exhausted.
    """
    if call.charged:
        return
    call.charged = True
    wanted: dict[str, Limit] = {}
    quotas = {find(spec).quota for _, spec in keys} if keys else {_own_quota(call)}
    for quota in quotas:
        _add_quota(wanted, call, quota)
    settings = call.services.keyring.limits(may_block=call.may_block)
    for key_id, _ in keys:
        limit = settings.get(key_subject(key_id))
        if limit is not None:
            wanted[limit.subject] = Limit(limit.subject, limit.rate, _burst(limit.rate, limit.burst))
    call.services.limiter.admit(wanted.values())


def _own_quota(call: Call) -> str:
    return SYMMETRIC if call.operation.shared_quota else call.operation.name


def _add_quota(wanted: dict[str, Limit], call: Call, quota: str) -> None:
    subject = quota_subject(call.account, call.region, quota)
    limit = applied(call.services, subject, may_block=call.may_block)
    if limit is not None:
        wanted[subject] = limit


def applied(services: Services, subject: str, *, may_block: bool) -> Limit | None:
    """The limit that holds for a subject: the one set, else the profile's; None when there is none."""
    stored = services.keyring.limits(may_block=may_block).get(subject)
    if stored is not None:
        return Limit(subject, stored.rate, _burst(stored.rate, stored.burst))
    return _of_profile(subject, services.limiter.profile)


@lru_cache(maxsize=16_384)
def _of_profile(subject: str, profile: str) -> Limit | None:
    kind, *parts = subject.split(":")
    if kind != "quota":
        return None
    rate = table.rate(parts[2], parts[1], profile)
    return None if rate is None else Limit(subject, rate, table.default_burst(rate))


def _burst(rate: float, burst: float | None) -> float:
    return table.default_burst(rate) if burst is None else burst
