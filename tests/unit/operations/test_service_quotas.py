"""Service Quotas: services, the values of quotas, and who may see them."""

from collections.abc import Iterator
from typing import Any

import pytest

from kms_server.operations.registry import find
from kms_server.quotas.table import ALIASES, KEYS, QUOTAS
from tests.unit.operations import query_service as query
from tests.unit.operations.quota_service import ServiceQuotas, code
from tests.unit.operations.record_calls import ask, body_of, exhausted
from tests.unit.operations.service import ACCOUNT, REGION, Service

OTHER_REGION = "eu-central-1"
NAMES = {"cloudtrail", "iam", "kms", "servicequotas", "sts"}
BAD_TOKEN = ("InvalidPaginationTokenException", "The pagination token is invalid.")
NO_SERVICE = "The request failed because the specified service does not exist."
NO_QUOTA = "The request failed because the specified quota does not exist."


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with AWS's limits for what these tests do not call."""
    directory = tmp_path_factory.mktemp("service")
    profile = directory / "profile.toml"
    profile.write_text('base = "aws"\nquotas = { ServiceQuotasRequests = "unlimited" }')
    made = Service(directory / "data", profile=str(profile))
    yield made
    made.close()


@pytest.fixture
def quotas(service: Service) -> ServiceQuotas:
    return ServiceQuotas(service)


def test_services(quotas: ServiceQuotas) -> None:
    pages = list(quotas.pages("ListServices", 2))
    services = [one for page in pages for one in page["Services"]]
    assert [len(page["Services"]) for page in pages] == [2, 2, 1]
    assert {one["ServiceCode"] for one in services} == NAMES == {quota.service for quota in QUOTAS.values()}
    assert {"ServiceCode": "kms", "ServiceName": "AWS Key Management Service (AWS KMS)"} in services


def test_a_request_quota(quotas: ServiceQuotas) -> None:
    assert quotas.ok("GetServiceQuota", **code("CreateKey"))["Quota"] == {
        "ServiceCode": "kms", "ServiceName": "AWS Key Management Service (AWS KMS)",
        "QuotaArn": f"arn:aws:servicequotas:{REGION}:{ACCOUNT}:kms/L-32B67F4A",
        "QuotaCode": "L-32B67F4A", "QuotaName": "CreateKey request rate", "Value": 5.0, "Unit": "None",
        "Adjustable": True, "GlobalQuota": False, "QuotaAppliedAtLevel": "ACCOUNT",
        "Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"},
        "UsageMetric": {
            "MetricNamespace": "AWS/Usage", "MetricName": "CallCount", "MetricStatisticRecommendation": "Sum",
            "MetricDimensions": {"Service": "KMS", "Type": "API", "Resource": "CreateKey", "Class": "None"},
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("quota", "resource"),
    [
        ("CryptographicOperationsSymmetric", "CryptographicOperationsSymmetric"),
        ("GenerateDataKeyPairRSA_2048", "GenerateDataKeyPair-RSA_2048"),
    ],
)
def test_the_metric_of_a_quota(quotas: ServiceQuotas, quota: str, resource: str) -> None:
    shown = quotas.ok("GetServiceQuota", **code(quota))["Quota"]
    assert shown["UsageMetric"]["MetricDimensions"]["Resource"] == resource


def test_a_resource_quota(quotas: ServiceQuotas) -> None:
    shown = quotas.ok("GetServiceQuota", **code("OnDemandRotationsPerKey"))["Quota"]
    assert (shown["Value"], shown["Adjustable"]) == (25.0, False)
    assert shown.keys().isdisjoint({"UsageMetric", "Period"})


@pytest.mark.parametrize("operation", ["ListServiceQuotas", "ListAWSDefaultServiceQuotas"])
@pytest.mark.parametrize("size", [7, 100])
def test_all_quotas_have_codes_of_their_own(quotas: ServiceQuotas, operation: str, size: int) -> None:
    found: list[Any] = []
    for name in sorted(NAMES):
        pages = list(quotas.pages(operation, size, ServiceCode=name))
        assert {len(page["Quotas"]) for page in pages[:-1]} <= {size}
        assert len(pages[-1]["Quotas"]) > 0
        found += [one for page in pages for one in page["Quotas"]]
    assert len({one["QuotaArn"] for one in found}) == len({one["QuotaCode"] for one in found}) == len(found)
    assert {one["QuotaCode"] for one in found} == {quota.code for quota in QUOTAS.values()}


def test_values_are_those_that_hold_and_defaults_are_awss(quotas: ServiceQuotas) -> None:
    quotas.service.limit("DisableKey", 7.5)
    symmetric = code("CryptographicOperationsSymmetric")
    assert quotas.value("DisableKey") == 7.5
    assert quotas.value("DisableKey", region=OTHER_REGION) == 5
    assert quotas.value("ServiceQuotasRequests") == 1e10
    default = quotas.ok("GetAWSDefaultServiceQuota", **code("DisableKey"))["Quota"]
    assert default["Value"] == 5
    assert default["QuotaArn"] == f"arn:aws:servicequotas:{REGION}::kms/{QUOTAS['DisableKey'].code}"
    for region, value in ((REGION, 100_000), (OTHER_REGION, 20_000), ("sa-east-1", 10_000)):
        assert quotas.ok("GetServiceQuota", region=region, **symmetric)["Quota"]["Value"] == value
        assert quotas.ok("GetAWSDefaultServiceQuota", region=region, **symmetric)["Quota"]["Value"] == value
    listed = quotas.ok("ListServiceQuotas", **code("DisableKey"))["Quotas"]
    assert [one["Value"] for one in listed] == [7.5]


def test_no_quota_is_one_of_a_resource(quotas: ServiceQuotas) -> None:
    one = code(KEYS)
    for level, count in (("ACCOUNT", 1), ("ALL", 1), ("RESOURCE", 0)):
        assert len(quotas.ok("ListServiceQuotas", **one, QuotaAppliedAtLevel=level)["Quotas"]) == count
    refused = quotas.refused("GetServiceQuota", **one, ContextId="*")
    assert refused.code == "NoSuchResourceException"


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"ServiceCode": "KMS", "QuotaCode": "L-32B67F4A"}, NO_SERVICE),
        ({"ServiceCode": "kms", "QuotaCode": "L-00000000"}, NO_QUOTA),
        ({"ServiceCode": "iam", "QuotaCode": "L-32B67F4A"}, NO_QUOTA),
    ],
)
def test_what_does_not_exist(quotas: ServiceQuotas, members: dict[str, str], text: str) -> None:
    expected = ("NoSuchResourceException", text)
    for operation in (
        "GetServiceQuota", "GetAWSDefaultServiceQuota", "ListServiceQuotas", "ListRequestedServiceQuotaChangeHistoryByQuota",
    ):  # fmt: skip
        assert quotas.refused(operation, **members) == expected
    assert quotas.refused("RequestServiceQuotaIncrease", DesiredValue=9.0, **members) == expected


@pytest.mark.parametrize("operation", ["ListServiceQuotas", "ListAWSDefaultServiceQuotas"])
def test_tokens_of_another_list_are_refused(quotas: ServiceQuotas, operation: str) -> None:
    token = quotas.ok(operation, ServiceCode="kms", MaxResults=3)["NextToken"]
    quotas.ok(operation, ServiceCode="kms", MaxResults=50, NextToken=token)
    for wrong in (token[:-4], token.swapcase(), "", "AAAA", "not a token!", "A" * 4_000):
        assert quotas.refused(operation, ServiceCode="kms", NextToken=wrong) == BAD_TOKEN
    assert quotas.refused(operation, ServiceCode="cloudtrail", NextToken=token) == BAD_TOKEN
    assert quotas.refused(operation, ServiceCode="kms", NextToken=token, region=OTHER_REGION) == BAD_TOKEN
    assert quotas.refused("ListServices", NextToken=token) == BAD_TOKEN


def test_policies_name_quotas(quotas: ServiceQuotas) -> None:
    arn = f"arn:aws:servicequotas:{REGION}:{ACCOUNT}:kms/{QUOTAS[ALIASES].code}"
    statement = {"Effect": "Allow", "Action": "servicequotas:*", "Resource": arn}
    by = query.user(quotas.service, "of-aliases", statement)[1]
    quotas.ok("GetServiceQuota", **code(ALIASES), by=by)
    for quota in (code(KEYS), {"ServiceCode": "none", "QuotaCode": "L-1"}):
        refused = quotas.refused("GetServiceQuota", **quota, by=by)
        assert refused.code == "AccessDeniedException"
        assert (
            f"not authorized to perform: servicequotas:GetServiceQuota on resource: {arn[:34]}"
            in refused.text
        )
    assert quotas.refused("ListServiceQuotas", ServiceCode="kms", by=by).code == "AccessDeniedException"


def test_policies_name_services(quotas: ServiceQuotas) -> None:
    condition = {"StringEquals": {"servicequotas:service": "kms"}}
    statement = {"Effect": "Allow", "Action": "servicequotas:Get*", "Resource": "*", "Condition": condition}
    by = query.user(quotas.service, "of-kms", statement)[1]
    quotas.ok("GetServiceQuota", **code(KEYS), by=by)
    assert quotas.refused("GetServiceQuota", **code("IamRequests"), by=by).code == "AccessDeniedException"


def test_its_own_throttling(service: Service) -> None:
    operation = find("servicequotas", "ListServices")
    with exhausted(service, operation):
        done = ask(service, operation, body_of(operation, {}))
    assert (done.status, done.body) == (
        400,
        b'{"__type":"TooManyRequestsException","message":"Rate exceeded"}',
    )
    assert done.record["errorCode"] == "ThrottlingException"
