"""Service Quotas (2019-06-24): services, quotas, and requests to raise them.

A token of a page has an error of its own, so the operations check it.
"""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.fields import (
    Boolean,
    Choice,
    Integer,
    ListOf,
    MapOf,
    Number,
    Structure,
    Text,
    Timestamp,
)

_MOST = 10_000_000_000


def _service_code(*, required: bool = False) -> Text:
    return Text(1, 63, "[a-zA-Z][a-zA-Z0-9-]{1,63}", required=required)


def _quota_code(*, required: bool = False) -> Text:
    return Text(1, 128, "[a-zA-Z][a-zA-Z0-9-]{1,128}", required=required)


def _request_id(*, required: bool = False) -> Text:
    return Text(1, 128, "[0-9a-zA-Z][a-zA-Z0-9-]{1,128}", required=required)


def _token() -> Text:
    return Text(0, 2048, "^[a-zA-Z0-9/+]*={0,2}$")


def _level() -> Choice:
    return Choice("ACCOUNT", "RESOURCE", "ALL")


def _status() -> Choice:
    return Choice(
        "PENDING", "CASE_OPENED", "APPROVED", "DENIED", "CASE_CLOSED", "NOT_APPROVED", "INVALID_REQUEST"
    )


class ListServicesRequest(RequestSchema):
    """Input of ListServices."""

    NextToken = Text()
    MaxResults = Integer(1, 100)


class ServiceInfo(Shape):
    """A service."""

    ServiceCode = _service_code()
    ServiceName = Text()


class ListServicesResponse(ResponseSchema):
    """Output of ListServices."""

    NextToken = _token()
    Services = ListOf(Structure(ServiceInfo))


class ListAWSDefaultServiceQuotasRequest(ListServicesRequest):
    """Input of ListAWSDefaultServiceQuotas."""

    ServiceCode = _service_code(required=True)


class ListServiceQuotasRequest(ListAWSDefaultServiceQuotasRequest):
    """Input of ListServiceQuotas."""

    QuotaCode = _quota_code()
    QuotaAppliedAtLevel = _level()


class GetAWSDefaultServiceQuotaRequest(RequestSchema):
    """Input of GetAWSDefaultServiceQuota."""

    ServiceCode = _service_code(required=True)
    QuotaCode = _quota_code(required=True)


class GetServiceQuotaRequest(GetAWSDefaultServiceQuotaRequest):
    """Input of GetServiceQuota."""

    ContextId = Text()


class MetricInfo(Shape):
    """The metric of a quota's use."""

    MetricNamespace = Text()
    MetricName = Text()
    MetricDimensions = MapOf()
    MetricStatisticRecommendation = Text(1, 256, "(Sum|Maximum)")


class QuotaPeriod(Shape):
    """The time in which a quota counts."""

    PeriodValue = Integer(0, 2**31 - 1)
    PeriodUnit = Choice("MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK")


class ErrorReason(Shape):
    """Why a value cannot be told."""

    ErrorCode = Choice(
        "DEPENDENCY_ACCESS_DENIED_ERROR", "DEPENDENCY_THROTTLING_ERROR", "DEPENDENCY_SERVICE_ERROR",
        "SERVICE_QUOTA_NOT_AVAILABLE_ERROR",
    )  # fmt: skip
    ErrorMessage = Text()


class QuotaContextInfo(Shape):
    """What a quota of resources is about."""

    ContextScope = Choice("RESOURCE", "ACCOUNT")
    ContextScopeType = Text()
    ContextId = Text()
    AdjustableAtLevel = Choice("ACCOUNT", "PER_RESOURCE", "ALL")


class _Named(Shape):
    """What quotas and requests have in common."""

    ServiceCode = _service_code()
    ServiceName = Text()
    QuotaArn = Text()
    QuotaCode = _quota_code()
    QuotaName = Text()
    Unit = Text()
    GlobalQuota = Boolean()
    QuotaContext = Structure(QuotaContextInfo)


class ServiceQuota(_Named):
    """A quota."""

    Value = Number(0, _MOST)
    Adjustable = Boolean()
    UsageMetric = Structure(MetricInfo)
    Period = Structure(QuotaPeriod)
    ErrorReason = Structure(ErrorReason)
    QuotaAppliedAtLevel = _level()
    Description = Text(0, 350, "^.{0,350}$")


class ListServiceQuotasResponse(ResponseSchema):
    """Output of ListServiceQuotas."""

    NextToken = _token()
    Quotas = ListOf(Structure(ServiceQuota))


class ListAWSDefaultServiceQuotasResponse(ListServiceQuotasResponse):
    """Output of ListAWSDefaultServiceQuotas."""


class GetServiceQuotaResponse(ResponseSchema):
    """Output of GetServiceQuota."""

    Quota = Structure(ServiceQuota)


class GetAWSDefaultServiceQuotaResponse(GetServiceQuotaResponse):
    """Output of GetAWSDefaultServiceQuota."""


class RequestServiceQuotaIncreaseRequest(GetServiceQuotaRequest):
    """Input of RequestServiceQuotaIncrease."""

    DesiredValue = Number(0, _MOST, required=True)
    SupportCaseAllowed = Boolean()


class RequestedServiceQuotaChange(_Named):
    """A request to raise a quota."""

    Id = _request_id()
    RequestType = Choice("AutomaticManagement")
    CaseId = Text()
    DesiredValue = Number(0, _MOST)
    Status = _status()
    Created = Timestamp()
    LastUpdated = Timestamp()
    Requester = Text()
    QuotaRequestedAtLevel = _level()


class RequestServiceQuotaIncreaseResponse(ResponseSchema):
    """Output of RequestServiceQuotaIncrease."""

    RequestedQuota = Structure(RequestedServiceQuotaChange)


class GetRequestedServiceQuotaChangeRequest(RequestSchema):
    """Input of GetRequestedServiceQuotaChange."""

    RequestId = _request_id(required=True)


class GetRequestedServiceQuotaChangeResponse(RequestServiceQuotaIncreaseResponse):
    """Output of GetRequestedServiceQuotaChange."""


class ListRequestedServiceQuotaChangeHistoryRequest(ListServicesRequest):
    """Input of ListRequestedServiceQuotaChangeHistory."""

    ServiceCode = _service_code()
    Status = _status()
    QuotaRequestedAtLevel = _level()


class ListRequestedServiceQuotaChangeHistoryResponse(ResponseSchema):
    """Output of ListRequestedServiceQuotaChangeHistory."""

    NextToken = _token()
    RequestedQuotas = ListOf(Structure(RequestedServiceQuotaChange))


class ListRequestedServiceQuotaChangeHistoryByQuotaRequest(ListRequestedServiceQuotaChangeHistoryRequest):
    """Input of ListRequestedServiceQuotaChangeHistoryByQuota."""

    ServiceCode = _service_code(required=True)
    QuotaCode = _quota_code(required=True)


class ListRequestedServiceQuotaChangeHistoryByQuotaResponse(ListRequestedServiceQuotaChangeHistoryResponse):
    """Output of ListRequestedServiceQuotaChangeHistoryByQuota."""
