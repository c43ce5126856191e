"""Every operation of Service Quotas."""

from kms_server import errors as e
from kms_server.operations.call import Operation, Plane
from kms_server.operations.connected import connected
from kms_server.operations.service_quotas import describing, increases
from kms_server.operations.service_quotas.common import CONDITIONS
from kms_server.schemas import service_quotas as schemas

_SERVICE = "servicequotas"
_PAGE = ("NextToken", "MaxResults")
_NAMED = (e.NoSuchResourceException, e.IllegalArgumentException)
_LISTED = (*_NAMED, e.InvalidPaginationTokenException)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "ListServices", describing.list_services, schemas.ListServicesRequest, schemas.ListServicesResponse, Plane.READ,
        "Lists the services that have quotas.", logged=_PAGE, service=_SERVICE,
        errors=(e.IllegalArgumentException, e.InvalidPaginationTokenException),
    ),
    Operation(
        "ListServiceQuotas", describing.list_service_quotas, schemas.ListServiceQuotasRequest,
        schemas.ListServiceQuotasResponse, Plane.READ, "Lists the values of a service's quotas.",
        logged=("ServiceCode", "QuotaCode", "QuotaAppliedAtLevel", *_PAGE), service=_SERVICE, errors=_LISTED,
    ),
    Operation(
        "GetServiceQuota", describing.get_service_quota, schemas.GetServiceQuotaRequest, schemas.GetServiceQuotaResponse,
        Plane.READ, "Tells the value of a quota.", logged=("ServiceCode", "QuotaCode", "ContextId"), service=_SERVICE,
        conditions=CONDITIONS, errors=_NAMED,
    ),
    Operation(
        "ListAWSDefaultServiceQuotas", describing.list_default_quotas, schemas.ListAWSDefaultServiceQuotasRequest,
        schemas.ListAWSDefaultServiceQuotasResponse, Plane.READ, "Lists the values that a service's quotas have on AWS.",
        logged=("ServiceCode", *_PAGE), service=_SERVICE, errors=_LISTED,
    ),
    Operation(
        "GetAWSDefaultServiceQuota", describing.get_default_quota, schemas.GetAWSDefaultServiceQuotaRequest,
        schemas.GetAWSDefaultServiceQuotaResponse, Plane.READ, "Tells the value that a quota has on AWS.",
        logged=("ServiceCode", "QuotaCode"), service=_SERVICE, errors=_NAMED,
    ),
    Operation(
        "RequestServiceQuotaIncrease", connected(increases.request_increase), schemas.RequestServiceQuotaIncreaseRequest,
        schemas.RequestServiceQuotaIncreaseResponse, Plane.WRITE, "Raises a quota, or asks the operator to.",
        logged=("ServiceCode", "QuotaCode", "DesiredValue", "ContextId", "SupportCaseAllowed"), answers=("RequestedQuota",),
        service=_SERVICE, conditions=CONDITIONS, errors=(*_NAMED, e.ResourceAlreadyExistsException),
    ),
    Operation(
        "GetRequestedServiceQuotaChange", connected(increases.get_change), schemas.GetRequestedServiceQuotaChangeRequest,
        schemas.GetRequestedServiceQuotaChangeResponse, Plane.READ, "Tells what came of a request to raise a quota.",
        logged=("RequestId",), service=_SERVICE, errors=_NAMED,
    ),
    Operation(
        "ListRequestedServiceQuotaChangeHistory", connected(increases.list_history),
        schemas.ListRequestedServiceQuotaChangeHistoryRequest, schemas.ListRequestedServiceQuotaChangeHistoryResponse,
        Plane.READ, "Lists the requests of 90 days to raise quotas.",
        logged=("ServiceCode", "Status", "QuotaRequestedAtLevel", *_PAGE), service=_SERVICE, errors=_LISTED,
    ),
    Operation(
        "ListRequestedServiceQuotaChangeHistoryByQuota", connected(increases.list_history_of_quota),
        schemas.ListRequestedServiceQuotaChangeHistoryByQuotaRequest,
        schemas.ListRequestedServiceQuotaChangeHistoryByQuotaResponse, Plane.READ,
        "Lists the requests of 90 days to raise one quota.",
        logged=("ServiceCode", "QuotaCode", "Status", "QuotaRequestedAtLevel", *_PAGE), service=_SERVICE,
        conditions=CONDITIONS, errors=_LISTED,
    ),
)  # fmt: skip
