"""AWS's quotas per account and Region (KMS developer guide, CloudTrail, STS, IAM and Service Quotas user guides, 2026).

A request quota counts calls per second, a resource quota what exists at a time.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

_LARGE = frozenset({"us-east-1", "us-west-2", "eu-west-1"})
_MEDIUM = frozenset(
    {"us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1", "eu-west-2"}
)


class Kind(Enum):
    """What a quota counts: calls of one operation, cryptographic ones together, data key pairs, or what exists."""

    OPERATION = "operation"
    CRYPTOGRAPHIC = "cryptographic"
    PAIR = "pair"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota; `medium` and `large` hold in Regions with higher defaults. `name` and `code` are those of Service Quotas."""

    id: str
    value: float
    name: str
    kind: Kind = Kind.OPERATION
    service: str = "kms"
    medium: float | None = None
    large: float | None = None
    adjustable: bool = True

    @property
    def code(self) -> str:
        """AWS's code where it is known; else one of the same form, made of the id."""
        known = _CODES.get(self.id)
        return known or f"L-{hashlib.sha256(self.id.encode()).hexdigest()[:8].upper()}"

    @property
    def is_rate(self) -> bool:
        """Whether calls per second count."""
        return self.kind is not Kind.RESOURCE

    def default(self, region: str) -> float:
        """AWS's default in a Region."""
        if region in _LARGE and self.large is not None:
            return self.large
        if region in _MEDIUM and self.medium is not None:
            return self.medium
        return self.value


def _each(rate: float, names: str, service: str = "kms") -> Iterable[Quota]:
    return (Quota(name, rate, f"{name} request rate", service=service) for name in names.split())


def _cryptographic(
    family: str, name: str, rate: float, medium: float | None = None, large: float | None = None
) -> Quota:
    return Quota(
        f"CryptographicOperations{family}", rate, f"Cryptographic operations ({name}) request rate",
        Kind.CRYPTOGRAPHIC, medium=medium, large=large,
    )  # fmt: skip


def _pairs(rate: float, specs: str) -> Iterable[Quota]:
    return (
        Quota(f"GenerateDataKeyPair{spec}", rate, f"GenerateDataKeyPair ({spec}) request rate", Kind.PAIR)
        for spec in specs.split()
    )


def _resource(quota_id: str, most: int, name: str, *, adjustable: bool = True) -> Quota:
    return Quota(quota_id, most, name, Kind.RESOURCE, adjustable=adjustable)


KEYS, ALIASES, GRANTS = "KeysPerRegion", "AliasesPerKey", "GrantsPerKey"
ON_DEMAND_ROTATIONS = "OnDemandRotationsPerKey"
UNLIMITED = 1e10  # the largest value that Service Quotas knows

# Third parties' listings; AWS's own pages have none.
_CODES = {
    "CryptographicOperationsSymmetric": "L-6E3AF000", "CryptographicOperationsRsa": "L-2AC98190",
    "CryptographicOperationsEcc": "L-DC14942D", "GenerateDataKeyPairECC_NIST_P256": "L-D2EEB5E0",
    "GenerateDataKeyPairECC_NIST_P384": "L-16B46EF0", "GenerateDataKeyPairECC_NIST_P521": "L-1D966DA0",
    "CancelKeyDeletion": "L-635264CC", "ConnectCustomKeyStore": "L-705B9E79", "CreateAlias": "L-F7504F73",
    "CreateCustomKeyStore": "L-08932E37", "CreateGrant": "L-0428A42E", "CreateKey": "L-32B67F4A",
    "DeleteAlias": "L-1F75ADD1", "DeleteCustomKeyStore": "L-E99520CB", "DeleteImportedKeyMaterial": "L-1233BF9B",
    "DescribeCustomKeyStores": "L-E20AA94C", "DescribeKey": "L-FAE8F084", "DisableKey": "L-6B8C93BD",
    "DisableKeyRotation": "L-CE1DB614", "DisconnectCustomKeyStore": "L-9F1FCF6D", "EnableKey": "L-BD96F100",
    "EnableKeyRotation": "L-BE799B67", KEYS: "L-C2F1777E", ALIASES: "L-340F62FB", GRANTS: "L-D594A657",
    "CustomKeyStores": "L-F33DCFEB", ON_DEMAND_ROTATIONS: "L-0E66C9C0",
}  # fmt: skip

QUOTAS = {
    quota.id: quota
    for quota in (
        _cryptographic("Symmetric", "symmetric", 10_000, 20_000, 100_000),
        _cryptographic("Rsa", "RSA", 1_000),
        _cryptographic("Ecc", "ECC and SM2", 1_000),
        _cryptographic("MlDsa", "ML-DSA", 1_000),
        _cryptographic("MlKem", "ML-KEM", 1_000),
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
        *_each(15, "InjectFault ListInjectedFaults RemoveInjectedFault"),
        *_each(50, "CreateGrant RetireGrant RevokeGrant"),
        *_each(100, "ListGrants ListRetirableGrants ListKeyPolicies ListKeyRotations"),
        *_each(500, "ListAliases ListKeys"),
        *_each(1_000, "GetKeyPolicy GetKeyRotationStatus"),
        *_each(2_000, "DescribeKey GetPublicKey ListResourceTags"),
        _resource(KEYS, 100_000, "Customer Master Keys (CMKs)"),
        _resource(ALIASES, 50, "Aliases per CMK"),
        _resource(GRANTS, 50_000, "Grants per CMK"),
        _resource("CustomKeyStores", 10, "Custom key stores"),
        _resource(ON_DEMAND_ROTATIONS, 25, "On-demand rotations per CMK", adjustable=False),
        *_each(2, "LookupEvents", "cloudtrail"),
        # What AWS publishes for CloudTrail's other requests.
        *_each(
            10, "DescribeTrails GetTrail GetTrailStatus GetEventSelectors ListPublicKeys ListTags ListTrails",
            "cloudtrail",
        ),
        *_each(
            1, "AddTags CreateTrail DeleteTrail PutEventSelectors RemoveTags StartLogging StopLogging UpdateTrail",
            "cloudtrail",
        ),
        # What AWS publishes for the requests of an STS account and Region; of IAM's it publishes nothing.
        Quota("StsRequests", 600, "Requests of an account", service="sts"),
        Quota("IamRequests", 20, "Requests of an account", service="iam"),
        Quota("ServiceQuotasRequests", 10, "Requests of an account", service="servicequotas"),
    )
}  # fmt: skip


def default_burst(rate: float) -> float:
    """The calls that may come at once: a tenth of the rate, at least 5."""
    return max(5.0, rate / 10)
