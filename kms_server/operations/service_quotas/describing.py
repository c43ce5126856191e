"""ListServices, ListServiceQuotas, GetServiceQuota, ListAWSDefaultServiceQuotas, GetAWSDefaultServiceQuota."""

from operator import attrgetter
from typing import Any

from kms_server import errors as e
from kms_server.operations import access, limits
from kms_server.operations.call import Answer, Call
from kms_server.operations.paging import counted_page, listed
from kms_server.operations.service_quotas.common import (
    SERVICES,
    allowed_quota,
    find_quota,
    find_service,
    has_level,
    named,
)
from kms_server.quotas.table import QUOTAS, Kind, Quota

_code = attrgetter("code")


def list_services(call: Call) -> Answer:
    """The services that have quotas (AWS ListServices)."""
    access.allow_without_key(call)
    found, rest = counted_page(call, listed(list(SERVICES.values()), _code), _code)
    return {"Services": [{"ServiceCode": one.code, "ServiceName": one.name} for one in found], **rest}


def list_service_quotas(call: Call) -> Answer:
    """The values of a service's quotas in the account and Region, or that of one (AWS ListServiceQuotas)."""
    access.allow_without_key(call)
    quotas = _quotas(call) if call.get("QuotaCode") is None else [find_quota(call)]
    if not has_level(call.get("QuotaAppliedAtLevel")):
        quotas = []
    found, rest = counted_page(call, listed(quotas, _code), _code)
    return {"Quotas": [_applied(call, quota) for quota in found], **rest}


def get_service_quota(call: Call) -> Answer:
    """The value of a quota in the account and Region (AWS GetServiceQuota)."""
    quota = allowed_quota(call)
    if call.get("ContextId") is not None:
        raise e.NoSuchResourceException(
            "The request failed because applied value for the specified context Id do not exist."
        )
    return {"Quota": _applied(call, quota)}


def list_default_quotas(call: Call) -> Answer:
    """AWS's values of a service's quotas in the Region (AWS ListAWSDefaultServiceQuotas)."""
    access.allow_without_key(call)
    found, rest = counted_page(call, listed(_quotas(call), _code), _code)
    return {"Quotas": [_default(call, quota) for quota in found], **rest}


def get_default_quota(call: Call) -> Answer:
    """AWS's value of a quota in the Region (AWS GetAWSDefaultServiceQuota)."""
    access.allow_without_key(call)
    return {"Quota": _default(call, find_quota(call))}


def _quotas(call: Call) -> list[Quota]:
    service = find_service(call.parameters["ServiceCode"])
    return [quota for quota in QUOTAS.values() if quota.service == service.code]


def _applied(call: Call, quota: Quota) -> dict[str, Any]:
    account, region = call.account, call.region
    return _shown(quota, limits.value(call, account, region, quota.id), named(quota, region, account))


def _default(call: Call, quota: Quota) -> dict[str, Any]:
    return _shown(quota, quota.default(call.region), named(quota, call.region, ""))


def _shown(quota: Quota, value: float, names: dict[str, Any]) -> dict[str, Any]:
    shown = {**names, "Value": value, "Adjustable": quota.adjustable, "QuotaAppliedAtLevel": "ACCOUNT"}
    if quota.is_rate:
        shown |= {"UsageMetric": _metric(quota), "Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"}}
    return shown


def _metric(quota: Quota) -> dict[str, Any]:
    """CloudWatch's metric of the calls that count, which there is none of here."""
    pair = quota.kind is Kind.PAIR
    return {
        "MetricNamespace": "AWS/Usage",
        "MetricName": "CallCount",
        "MetricDimensions": {
            "Service": SERVICES[quota.service].metric, "Type": "API", "Class": "None",
            "Resource": quota.id.replace("GenerateDataKeyPair", "GenerateDataKeyPair-") if pair else quota.id,
        },
        "MetricStatisticRecommendation": "Sum",
    }  # fmt: skip
