"""AWS's request quotas, per account and Region in calls per second (KMS developer guide, 2026)."""

from dataclasses import dataclass

_LARGE = frozenset({"us-east-1", "us-west-2", "eu-west-1"})
_MEDIUM = frozenset(
    {"us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1", "eu-west-2"}
)
_RELAXED_RATE = 1_000.0


@dataclass(frozen=True, slots=True)
class Quota:
    """One request quota; `medium` and `large` hold in Regions with higher defaults."""

    id: str
    rate: float
    medium: float | None = None
    large: float | None = None
    cryptographic: bool = False


def _each(rate: float, names: str) -> tuple[Quota, ...]:
    return tuple(Quota(name, rate) for name in names.split())


QUOTAS = {
    quota.id: quota
    for quota in (
        Quota("CryptographicOperationsSymmetric", 10_000, 20_000, 100_000, cryptographic=True),
        *_each(5, "CancelKeyDeletion CreateAlias CreateKey DisableKey DisableKeyRotation EnableKey"),
        *_each(5, "GetKeyLastUsage RotateKeyOnDemand UntagResource UpdateAlias UpdateKeyDescription"),
        *_each(10, "TagResource"),
        *_each(15, "DeleteAlias EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion"),
        # Our extensions count like EnableKeyRotation.
        *_each(15, "ScheduleKeyRotation CancelScheduledKeyRotation"),
        *_each(100, "ListKeyPolicies ListKeyRotations"),
        *_each(500, "ListAliases ListKeys"),
        *_each(1_000, "GetKeyPolicy GetKeyRotationStatus"),
        *_each(2_000, "DescribeKey ListResourceTags"),
        *_each(2, "LookupEvents"),
    )
}

PROFILES = ("relaxed", "aws", "unlimited")


def rate(quota_id: str, region: str, profile: str) -> float | None:
    """Calls per second that a profile allows; None is without limit.

    `relaxed` has AWS's figures for cryptographic operations and 1,000 for the rest, LookupEvents unlimited.
    """
    quota = QUOTAS[quota_id]
    if profile == "unlimited":
        return None
    if profile == "relaxed" and not quota.cryptographic:
        return None if quota_id == "LookupEvents" else _RELAXED_RATE
    if region in _LARGE and quota.large is not None:
        return quota.large
    if region in _MEDIUM and quota.medium is not None:
        return quota.medium
    return quota.rate


def default_burst(rate: float) -> float:
    """The calls that may come at once: a tenth of the rate, at least 5."""
    return max(5.0, rate / 10)
