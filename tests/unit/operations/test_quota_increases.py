"""RequestServiceQuotaIncrease: what holds afterwards, what is refused, and what the history has of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kms_server.clock import DAY
from kms_server.quotas.table import ALIASES, GRANTS, KEYS
from tests.unit.operations import query_service as query
from tests.unit.operations.quota_service import ServiceQuotas, code
from tests.unit.operations.record_calls import of_event
from tests.unit.operations.service import ACCOUNT, REGION, REPLICA_REGION, Service

OTHER = "111122223333"
ILLEGAL, MISSING = "IllegalArgumentException", "NoSuchResourceException"
BY_QUOTA = "ListRequestedServiceQuotaChangeHistoryByQuota"
HISTORY = "ListRequestedServiceQuotaChangeHistory"


@pytest.fixture
def quotas(tmp_path: Any) -> Iterator[ServiceQuotas]:
    service = Service(tmp_path / "data", profile="aws")
    for region in (REGION, REPLICA_REGION):
        service.limit("ServiceQuotasRequests", 1e9, region=region)
    yield ServiceQuotas(service)
    service.close()


def stored(quotas: ServiceQuotas) -> Any:
    everything = quotas.service.everything()
    return everything["limits"], everything["quota_requests"]


def ids(quotas: ServiceQuotas, operation: str = HISTORY, **members: Any) -> list[str]:
    return [one["Id"] for one in quotas.ok(operation, **members)["RequestedQuotas"]]


def test_an_increase_holds_at_once(quotas: ServiceQuotas) -> None:
    quotas.service.limit(ALIASES, 1)
    key = quotas.service.key()["KeyId"]
    quotas.service.ok("CreateAlias", AliasName="alias/a", TargetKeyId=key)
    second: dict[str, Any] = {"AliasName": "alias/b", "TargetKeyId": key}
    assert quotas.service.refused("CreateAlias", **second).code == "LimitExceededException"
    asked = quotas.raised(ALIASES, 2.0)
    quotas.service.ok("CreateAlias", **second)
    assert asked == {
        "Id": asked["Id"], "ServiceCode": "kms", "ServiceName": "AWS Key Management Service (AWS KMS)",
        "QuotaArn": f"arn:aws:servicequotas:{REGION}:{ACCOUNT}:kms/L-340F62FB", "QuotaCode": "L-340F62FB",
        "QuotaName": "Aliases per CMK", "GlobalQuota": False, "Unit": "None", "DesiredValue": 2.0, "Status": "APPROVED",
        "Created": asked["Created"], "LastUpdated": asked["Created"], "QuotaRequestedAtLevel": "ACCOUNT",
        "Requester": json.dumps({"accountId": ACCOUNT, "callerArn": f"arn:aws:iam::{ACCOUNT}:root"}),
    }  # fmt: skip
    assert quotas.ok("GetRequestedServiceQuotaChange", RequestId=asked["Id"])["RequestedQuota"] == asked
    assert quotas.value(ALIASES) == 2
    assert quotas.ok("GetAWSDefaultServiceQuota", **code(ALIASES))["Quota"]["Value"] == 50
    [record] = of_event(quotas.service, "RequestServiceQuotaIncrease")
    assert record["requestParameters"] == {
        "serviceCode": "kms",
        "quotaCode": "L-340F62FB",
        "desiredValue": 2.0,
    }
    assert record["responseElements"]["requestedQuota"]["id"] == asked["Id"]


def test_an_increase_is_one_accounts_in_one_region(quotas: ServiceQuotas) -> None:
    asked = quotas.raised("CreateKey", 9.0)
    by = quotas.service.account(OTHER)
    assert quotas.value("CreateKey") == 9
    assert quotas.value("CreateKey", region=REPLICA_REGION) == quotas.value("CreateKey", by=by) == 5
    for elsewhere in ({"by": by}, {"region": REPLICA_REGION}):
        refused = quotas.refused("GetRequestedServiceQuotaChange", RequestId=asked["Id"], **elsewhere)
        assert refused.code == MISSING
        assert ids(quotas, **elsewhere) == ids(quotas, BY_QUOTA, **code("CreateKey"), **elsewhere) == []


@pytest.mark.parametrize(
    ("quota", "members"),
    [
        ("CreateKey", {"DesiredValue": 5.0}), ("CreateKey", {"DesiredValue": 0.0}),
        ("CreateKey", {"DesiredValue": 9.0, "ContextId": "*"}), ("OnDemandRotationsPerKey", {"DesiredValue": 26.0}),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(quotas: ServiceQuotas, quota: str, members: dict[str, Any]) -> None:
    before = stored(quotas)
    assert quotas.refused("RequestServiceQuotaIncrease", **code(quota), **members).code == ILLEGAL
    assert stored(quotas) == before


@pytest.mark.parametrize("value", [-1.0, 1e10 + 1, 1e300])
def test_values_beyond_the_model(quotas: ServiceQuotas, value: float) -> None:
    refused = quotas.refused("RequestServiceQuotaIncrease", **code("CreateKey"), DesiredValue=value)
    assert refused.code == "ValidationException"
    assert "at 'desiredValue' failed to satisfy constraint: Member must have value" in refused.text


def test_a_value_is_only_ever_raised(quotas: ServiceQuotas) -> None:
    quotas.raised("CreateKey", 1e10)
    refused = quotas.refused("RequestServiceQuotaIncrease", **code("CreateKey"), DesiredValue=1e10)
    assert refused == (ILLEGAL, "You must provide a quota value greater than the current quota value")


def test_the_history_has_what_is_asked_for(quotas: ServiceQuotas) -> None:
    made = [quotas.raised(quota, 1e6)["Id"] for quota in (KEYS, GRANTS, "LookupEvents")]
    assert ids(quotas) == made
    assert [one for page in quotas.pages(HISTORY, 2) for one in page["RequestedQuotas"]] == quotas.ok(
        HISTORY
    )["RequestedQuotas"]
    assert ids(quotas, ServiceCode="kms") == made[:2]
    assert ids(quotas, ServiceCode="kms", Status="APPROVED", QuotaRequestedAtLevel="ALL") == made[:2]
    assert ids(quotas, Status="CASE_OPENED") == ids(quotas, QuotaRequestedAtLevel="RESOURCE") == []
    assert ids(quotas, BY_QUOTA, **code(GRANTS)) == [made[1]]
    assert quotas.refused(HISTORY, ServiceCode="ec2").code == MISSING
    token = quotas.ok(HISTORY, MaxResults=1)["NextToken"]
    assert quotas.refused(HISTORY, NextToken=token, Status="DENIED").code == "InvalidPaginationTokenException"


def test_the_history_goes_back_90_days(quotas: ServiceQuotas) -> None:
    old = quotas.raised(KEYS, 1e6)["Id"]
    quotas.service.advance(89 * DAY)
    young = quotas.raised(KEYS, 2e6)["Id"]
    assert ids(quotas) == [old, young]
    quotas.service.advance(2 * DAY)
    assert ids(quotas) == ids(quotas, BY_QUOTA, **code(KEYS)) == [young]
    assert quotas.value(KEYS) == 2e6
    quotas.raised(GRANTS, 1e6)
    assert quotas.refused("GetRequestedServiceQuotaChange", RequestId=old).code == MISSING


def test_users_need_the_action_on_the_quota(quotas: ServiceQuotas) -> None:
    arn = f"arn:aws:servicequotas:*:{ACCOUNT}:kms/{code(KEYS)['QuotaCode']}"
    actions = ["servicequotas:RequestServiceQuotaIncrease", f"servicequotas:{BY_QUOTA}"]
    by = query.user(quotas.service, "of-keys", {"Effect": "Allow", "Action": actions, "Resource": arn})[1]
    before = stored(quotas)
    denied = quotas.refused("RequestServiceQuotaIncrease", **code("CreateKey"), DesiredValue=9.0, by=by)
    assert denied.code == "AccessDeniedException"
    assert stored(quotas) == before
    asked = quotas.raised(KEYS, 1e6, by=by)
    assert json.loads(asked["Requester"])["callerArn"] == f"arn:aws:iam::{ACCOUNT}:user/of-keys"
    assert ids(quotas, BY_QUOTA, **code(KEYS), by=by) == [asked["Id"]]
    assert quotas.refused(HISTORY, by=by).code == "AccessDeniedException"
