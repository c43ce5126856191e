"""AWS's request quotas, per account and Region in calls per second (KMS developer guide, CloudTrail and IAM user guides, 2026)."""

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
    pairs: bool = False


def _each(rate: float, names: str) -> tuple[Quota, ...]:
    return tuple(Quota(name, rate) for name in names.split())


def _cryptographic(rate: float, kinds: str) -> tuple[Quota, ...]:
    return tuple(Quota(f"CryptographicOperations{kind}", rate, cryptographic=True) for kind in kinds.split())


def _pairs(rate: float, specs: str) -> tuple[Quota, ...]:
    return tuple(Quota(f"GenerateDataKeyPair{spec}", rate, pairs=True) for spec in specs.split())


QUOTAS = {
    quota.id: quota
    for quota in (
        Quota("CryptographicOperationsSymmetric", 10_000, 20_000, 100_000, cryptographic=True),
        *_cryptographic(1_000, "Rsa Ecc MlDsa MlKem"),
        *_pairs(100, "ECC_NIST_P256 ECC_NIST_P384 ECC_NIST_P521 ECC_SECG_P256K1 ECC_NIST_EDWARDS25519"),
        *_pairs(100, "ML_KEM_768 ML_KEM_1024"),
        *_pairs(20, "RSA_2048"),
        *_pairs(4, "RSA_3072"),
        *_pairs(1, "RSA_4096"),
        *_each(5, "CancelKeyDeletion CreateAlias CreateKey DisableKey DisableKeyRotation EnableKey"),
        *_each(5, "GetKeyLastUsage RotateKeyOnDemand UntagResource UpdateAlias UpdateKeyDescription"),
        *_each(5, "ReplicateKey UpdatePrimaryRegion CreateCustomKeyStore DescribeCustomKeyStores"),
        *_each(5, "ConnectCustomKeyStore DisconnectCustomKeyStore UpdateCustomKeyStore DeleteCustomKeyStore"),
        *_each(1, "GetParametersForImport"),
        *_each(10, "TagResource"),
        *_each(15, "ImportKeyMaterial DeleteImportedKeyMaterial"),
        *_each(15, "DeleteAlias EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion"),
        # Our extensions count like EnableKeyRotation.
        *_each(15, "ScheduleKeyRotation CancelScheduledKeyRotation"),
        *_each(50, "CreateGrant RetireGrant RevokeGrant"),
        *_each(100, "ListGrants ListRetirableGrants ListKeyPolicies ListKeyRotations"),
        *_each(500, "ListAliases ListKeys"),
        *_each(1_000, "GetKeyPolicy GetKeyRotationStatus"),
        *_each(2_000, "DescribeKey GetPublicKey ListResourceTags"),
        *_each(2, "LookupEvents"),
        # What AWS publishes for CloudTrail's other requests.
        *_each(
            10, "DescribeTrails GetTrail GetTrailStatus GetEventSelectors ListPublicKeys ListTags ListTrails"
        ),
        *_each(
            1,
            "AddTags CreateTrail DeleteTrail PutEventSelectors RemoveTags StartLogging StopLogging UpdateTrail",
        ),
        # What AWS publishes for the requests of an STS account and Region; of IAM's it publishes nothing.
        *_each(600, "StsRequests"),
        *_each(20, "IamRequests"),
    )
}

PROFILES = ("relaxed", "aws", "unlimited")


def rate(quota_id: str, region: str, profile: str) -> float | None:
    """Calls per second that a profile allows; None is without limit.

    `relaxed` has AWS's figures for cryptographic operations and 1,000 for the rest; LookupEvents and data key pairs are unlimited.
    """
    quota = QUOTAS[quota_id]
    if profile == "unlimited":
        return None
    if profile == "relaxed" and not quota.cryptographic:
        return None if quota.pairs or quota_id == "LookupEvents" else _RELAXED_RATE
    if region in _LARGE and quota.large is not None:
        return quota.large
    if region in _MEDIUM and quota.medium is not None:
        return quota.medium
    return quota.rate


def default_burst(rate: float) -> float:
    """The calls that may come at once: a tenth of the rate, at least 5."""
    return max(5.0, rate / 10)
