"""Service Quotas by boto3: whoever is throttled raises the quota, and is not any more, on any worker."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kms_server.quotas.table import QUOTAS
from tests.functional.server_process import Access, ServerProcess
from tests.functional.test_operator import aws

OTHER = "222233334444"
CREATE_KEY = {"ServiceCode": "kms", "QuotaCode": "L-32B67F4A"}
KEYS = {"ServiceCode": "kms", "QuotaCode": "L-C2F1777E"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with AWS's limits, but for those of Service Quotas itself."""
    directory = tmp_path_factory.mktemp("server")
    profile = directory / "profile.toml"
    profile.write_text('base = "aws"\nquotas = { ServiceQuotasRequests = "unlimited" }')
    process = ServerProcess(directory, "--quota-profile", str(profile))
    yield process
    assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


@pytest.fixture(scope="module")
def quotas(server: ServerProcess) -> Any:
    return server.client("service-quotas")


def throttled(kms: Any) -> bool:
    """Whether a call of CreateKey is refused."""
    try:
        kms.create_key()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ThrottlingException"
        return True
    return False


def create_many(access: Access) -> int:
    """How many of some calls in a row, on a connection of their own, are refused."""
    kms = access.client("kms")
    return sum(throttled(kms) for _ in range(12))


def test_raising_a_throttled_quota_lets_the_next_calls_through(server: ServerProcess, quotas: Any) -> None:
    kms, stranger = server.client("kms"), server.account_client("kms", OTHER)
    assert quotas.get_service_quota(**CREATE_KEY)["Quota"]["Value"] == 5
    assert any(throttled(kms) for _ in range(100))
    asked = quotas.request_service_quota_increase(**CREATE_KEY, DesiredValue=1_000)["RequestedQuota"]
    assert (asked["Status"], asked["DesiredValue"]) == ("APPROVED", 1_000)
    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(create_many, [server.access] * 6)) == 0
    assert any(throttled(stranger) for _ in range(100))
    assert quotas.get_service_quota(**CREATE_KEY)["Quota"]["Value"] == 1_000
    assert quotas.get_aws_default_service_quota(**CREATE_KEY)["Quota"]["Value"] == 5
    assert (
        server.account_client("service-quotas", OTHER).get_service_quota(**CREATE_KEY)["Quota"]["Value"] == 5
    )
    assert "CreateKey  5/s" in server.cli("quota", "list", "--quota-profile", "aws").stdout
    assert f"quota:000000000000:us-east-1:CreateKey  {1_000}/s" in server.cli("quota", "list").stdout


def test_the_history_tells_of_it(quotas: Any) -> None:
    made = [
        quotas.request_service_quota_increase(**KEYS, DesiredValue=value)["RequestedQuota"]
        for value in (100_001, 100_002, 100_003)
    ]
    by_quota = quotas.get_paginator("list_requested_service_quota_change_history_by_quota")
    pages = list(by_quota.paginate(**KEYS, PaginationConfig={"PageSize": 2}))
    assert [len(page["RequestedQuotas"]) for page in pages] == [2, 1]
    assert [one for page in pages for one in page["RequestedQuotas"]] == made
    everything = quotas.list_requested_service_quota_change_history(ServiceCode="kms")["RequestedQuotas"]
    assert [one for one in everything if one["QuotaCode"] == KEYS["QuotaCode"]] == made
    assert quotas.list_requested_service_quota_change_history(Status="PENDING")["RequestedQuotas"] == []
    assert quotas.get_requested_service_quota_change(RequestId=made[0]["Id"])["RequestedQuota"] == made[0]


def test_all_quotas_in_pages(quotas: Any) -> None:
    pages = list(quotas.get_paginator("list_service_quotas").paginate(ServiceCode="kms", PaginationConfig={"PageSize": 10}))  # fmt: skip
    found = [one for page in pages for one in page["Quotas"]]
    assert len(pages) > 5
    assert len({one["QuotaCode"] for one in found}) == len(found)
    defaults = quotas.list_aws_default_service_quotas(ServiceCode="kms")["Quotas"]
    assert [one["QuotaCode"] for one in defaults] == [one["QuotaCode"] for one in found]
    assert {one["ServiceCode"] for one in quotas.list_services()["Services"]} >= {"kms", "cloudtrail"}


def test_who_may_not_may_not(server: ServerProcess, quotas: Any) -> None:
    statement = {"Effect": "Allow", "Action": ["servicequotas:Get*", "servicequotas:List*"], "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    reader = server.user_client("service-quotas", "quota-reader", policy)
    before = quotas.get_service_quota(**KEYS)["Quota"]
    assert reader.get_service_quota(**KEYS)["Quota"] == before
    with pytest.raises(
        ClientError, match="not authorized to perform: servicequotas:RequestServiceQuotaIncrease"
    ):
        reader.request_service_quota_increase(**KEYS, DesiredValue=1e9)
    assert quotas.get_service_quota(**KEYS)["Quota"] == before
    denied, *_ = reversed(server.audit_records("--event", "RequestServiceQuotaIncrease"))
    assert (denied["errorCode"], denied["requestParameters"]["desiredValue"]) == ("AccessDenied", 1e9)


def test_the_aws_cli(server: ServerProcess, quotas: Any) -> None:
    lookups = {"ServiceCode": "cloudtrail", "QuotaCode": QUOTAS["LookupEvents"].code}
    asked = aws(
        server, "service-quotas", "request-service-quota-increase", "--service-code", "cloudtrail",
        "--quota-code", lookups["QuotaCode"], "--desired-value", "20",
    )  # fmt: skip
    assert json.loads(asked)["RequestedQuota"]["Status"] == "APPROVED"
    assert quotas.get_service_quota(**lookups)["Quota"]["Value"] == 20
