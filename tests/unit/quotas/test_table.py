"""The quota table against the figures of the KMS developer guide."""

from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.keys.specs import KEY_SPECS
from kms_server.operations import limits
from kms_server.operations.registry import OPERATIONS
from kms_server.quotas import profiles, table

SYMMETRIC = "CryptographicOperationsSymmetric"


def rate(quota_id: str, region: str, profile: str) -> float | None:
    """What a profile allows."""
    allowed = profiles.find(profile).of(quota_id, region)
    return None if allowed is None else allowed.value


RATES = {quota.id for quota in table.QUOTAS.values() if quota.is_rate}
PAIRS = {spec.pair_quota for spec in KEY_SPECS.values() if spec.pair_quota}


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        *[(region, 100_000) for region in ("us-east-1", "us-west-2", "eu-west-1")],
        *[(region, 20_000) for region in ("us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1")],
        *[(region, 20_000) for region in ("eu-central-1", "eu-west-2")],
        *[(region, 10_000) for region in ("eu-north-1", "sa-east-1", "us-gov-west-1")],
    ],
)
@pytest.mark.parametrize("profile", ["relaxed", "aws"])
def test_symmetric_cryptography_has_the_regions_figure(region: str, expected: float, profile: str) -> None:
    assert rate(SYMMETRIC, region, profile) == expected


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("CreateKey", 5), ("UpdateAlias", 5), ("RotateKeyOnDemand", 5), ("GetKeyLastUsage", 5),
        ("TagResource", 10), ("UntagResource", 5), ("DeleteAlias", 15), ("PutKeyPolicy", 15),
        ("ScheduleKeyDeletion", 15), ("CancelKeyDeletion", 5), ("ListKeyPolicies", 100), ("ListKeys", 500),
        ("GetKeyRotationStatus", 1_000), ("DescribeKey", 2_000), ("ListResourceTags", 2_000),
        ("LookupEvents", 2), ("DescribeTrails", 10), ("ListPublicKeys", 10), ("CreateTrail", 1), ("StartLogging", 1),
        ("StsRequests", 600), ("IamRequests", 20), ("ServiceQuotasRequests", 10), ("CryptographicOperationsRsa", 1_000), ("GenerateDataKeyPairRSA_2048", 20),
        ("GenerateDataKeyPairRSA_4096", 1), ("GenerateDataKeyPairECC_NIST_P256", 100), ("CreateGrant", 50),
        ("GetParametersForImport", 1), ("ImportKeyMaterial", 15), ("ReplicateKey", 5), ("GetPublicKey", 2_000),
    ],
)  # fmt: skip
def test_aws_figures_are_the_same_everywhere(operation: str, expected: float) -> None:
    assert {rate(operation, region, "aws") for region in ("us-east-1", "eu-central-1", "sa-east-1")} == {
        expected
    }


def test_our_operations_count_like_those_that_enable_rotation() -> None:
    ours = "ScheduleKeyRotation CancelScheduledKeyRotation InjectFault ListInjectedFaults RemoveInjectedFault"
    rates = {rate(operation, "us-east-1", "aws") for operation in ("EnableKeyRotation", *ours.split())}
    assert rates == {15}


def test_relaxed_allows_a_thousand_of_all_else_and_any_number_of_lookups_and_pairs() -> None:
    unlimited = {"LookupEvents", *PAIRS}
    others = RATES - {SYMMETRIC, *unlimited}
    assert {rate(quota, "us-east-1", "relaxed") for quota in others} == {1_000}
    assert {rate(quota, "us-east-1", "relaxed") for quota in unlimited} == {None}


def test_unlimited_has_no_limit() -> None:
    assert {rate(quota, "us-east-1", "unlimited") for quota in RATES} == {None}


def test_every_operation_has_a_quota_and_no_quota_is_idle() -> None:
    own = {limits.own_quota(operation) for operation in OPERATIONS}
    shared = {spec.quota for spec in KEY_SPECS.values()}
    assert own | shared | PAIRS == RATES


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 5), (5, 5), (50, 5), (51, 5.1), (100_000, 10_000)])
def test_the_burst_is_a_tenth_and_at_least_five(rate: float, burst: float) -> None:
    assert table.default_burst(rate) == pytest.approx(burst)


@pytest.mark.parametrize(
    "text",
    [
        "quotas.CreateKey = nan", "quotas.CreateKey = inf", "quotas.CreateKey = true", "quotas.CreateKey = 0",
        f"quotas.CreateKey = 1{'0' * 400}", f"quotas.CreateKey = {{ rate = 1, burst = 1{'0' * 400} }}",
        "quotas.CreateKey = { burst = 1 }", "quotas.MakeKey = 1", "quotas = 1", "regions = [1]", "regions.nowhere.CreateKey = 1",
        'base = "own.toml"', 'base = "aws-nowhere"', "more = 1", f"quotas = {'[' * 9_999}{']' * 9_999}", "\N{DELETE}",
    ],
)  # fmt: skip
def test_what_is_no_profile_is_told_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(OperatorError):
        profiles.find(str(path))
