"""What the operations of Service Quotas share: services and quotas, how they are found and what they are called."""

from typing import Any, NamedTuple

from kms_server import errors as e
from kms_server.arn import quota_arn
from kms_server.operations import access
from kms_server.operations.call import Call, Conditions
from kms_server.operations.condition_keys import sent
from kms_server.quotas.table import QUOTAS, Quota


class Service(NamedTuple):
    """What Service Quotas and the metrics of usage call a service."""

    code: str
    name: str
    metric: str


SERVICES = {
    one.code: one
    for one in (
        Service("cloudtrail", "AWS CloudTrail", "CloudTrail"),
        Service("iam", "AWS Identity and Access Management (IAM)", "IAM"),
        Service("kms", "AWS Key Management Service (AWS KMS)", "KMS"),
        Service("servicequotas", "Service Quotas", "ServiceQuotas"),
        Service("sts", "AWS Security Token Service (AWS STS)", "STS"),
    )
}
_BY_CODE = {(quota.service, quota.code): quota for quota in QUOTAS.values()}
# Of the operations that the service authorization reference gives the resource `quota`.
CONDITIONS: Conditions = {"servicequotas:service": sent("ServiceCode")}


def find_service(code: str) -> Service:
    """The service of a code, which is case-sensitive.

    Raises:
        NoSuchResourceException: there is none.
    """
    if code not in SERVICES:
        raise e.NoSuchResourceException("The request failed because the specified service does not exist.")
    return SERVICES[code]


def find_quota(call: Call) -> Quota:
    """The quota that a call names by its service and code.

    Raises:
        NoSuchResourceException: there is no such service or quota.
    """
    service = find_service(call.parameters["ServiceCode"])
    quota = _BY_CODE.get((service.code, call.parameters["QuotaCode"]))
    if quota is None:
        raise e.NoSuchResourceException("The request failed because the specified quota does not exist.")
    return quota


def allowed_quota(call: Call) -> Quota:
    """The quota that a call names, when policies allow the call on it.

    Raises:
        AccessDeniedException: they do not; it does not tell whether there is such a quota.
        NoSuchResourceException: there is no such service or quota.
    """
    service, code = call.parameters["ServiceCode"], call.parameters["QuotaCode"]
    access.allow_without_key(call, quota_arn(call.region, call.account, service, code))
    return find_quota(call)


def named(quota: Quota, region: str, account: str) -> dict[str, Any]:
    """What a quota and a request for its increase have in common; AWS's defaults are of no account."""
    return {
        "ServiceCode": quota.service,
        "ServiceName": SERVICES[quota.service].name,
        "QuotaArn": quota_arn(region, account, quota.service, quota.code),
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "GlobalQuota": False,
        "Unit": "None",
    }


def has_level(asked: str | None) -> bool:
    """Whether the level that a list is filtered by has anything: no quota is one of a resource."""
    return asked != "RESOURCE"
