"""RequestServiceQuotaIncrease, and what came of such requests."""

import json
from typing import Any

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.audit import event_id
from kms_server.clock import DAY
from kms_server.operations import access, limits
from kms_server.operations.call import Answer, Call
from kms_server.operations.paging import counted_page
from kms_server.operations.service_quotas.common import allowed_quota, find_service, has_level, named
from kms_server.quotas import increases
from kms_server.quotas.table import QUOTAS, Quota
from kms_server.storage import quota_requests
from kms_server.storage.quota_requests import APPROVED, PENDING, QuotaRequest

_HISTORY = 90 * DAY


def request_increase(call: Call, connection: Connection) -> Answer:
    """Raise a quota, or ask the operator to where the server holds requests (AWS RequestServiceQuotaIncrease)."""
    quota = allowed_quota(call)
    desired: float = call.parameters["DesiredValue"]
    _require_higher(call, quota, desired)
    if quota_requests.is_open(connection, call.account, call.region, quota.id):
        raise e.ResourceAlreadyExistsException(
            "Only one open service quota increase request is allowed per quota."
        )
    request = QuotaRequest(
        event_id.new(call.time), call.account, call.region, quota.service, quota.id, desired,
        PENDING if call.services.holds_increases else APPROVED, call.time, call.time,
        json.dumps({"accountId": call.account, "callerArn": call.principal.arn}),
    )  # fmt: skip
    quota_requests.forget(call.writing, call.account, call.region, call.time - _HISTORY)
    quota_requests.add(call.writing, request)
    if request.status == APPROVED:
        increases.grant(call.writing, request, call.services.limiter.profile)
    return {"RequestedQuota": _shown(request)}


def get_change(call: Call, connection: Connection) -> Answer:
    """A request of the account and Region (AWS GetRequestedServiceQuotaChange)."""
    access.allow_without_key(call)
    request = quota_requests.get(connection, call.parameters["RequestId"])
    if request is None or (request.account, request.region) != (call.account, call.region):
        raise e.NoSuchResourceException("The request failed because the specified request does not exist.")
    return {"RequestedQuota": _shown(request)}


def list_history(call: Call, connection: Connection) -> Answer:
    """The requests of 90 days (AWS ListRequestedServiceQuotaChangeHistory)."""
    access.allow_without_key(call)
    service = call.get("ServiceCode")
    if service is not None:
        find_service(service)
    return _history(call, connection, service=service)


def list_history_of_quota(call: Call, connection: Connection) -> Answer:
    """The requests of 90 days for one quota (AWS ListRequestedServiceQuotaChangeHistoryByQuota)."""
    return _history(call, connection, quota_id=allowed_quota(call).id)


def _require_higher(call: Call, quota: Quota, desired: float) -> None:
    """Check that a quota can have a value.

    Raises:
        IllegalArgumentException: it can not be raised, or not for one resource, or the value is not higher.
    """
    if not quota.adjustable:
        raise e.IllegalArgumentException("The specified quota is not adjustable.")
    if call.get("ContextId") is not None:
        raise e.IllegalArgumentException("The specified quota does not support resource-level quota values.")
    if desired <= limits.value(call, call.account, call.region, quota.id):
        raise e.IllegalArgumentException(
            "You must provide a quota value greater than the current quota value"
        )


def _history(call: Call, connection: Connection, **wanted: str | None) -> Answer:
    def fetch(after: str, count: int) -> list[QuotaRequest]:
        if not has_level(call.get("QuotaRequestedAtLevel")):
            return []
        return quota_requests.page(
            connection, call.account, call.region, call.time - _HISTORY, after, count,
            status=call.get("Status"), **wanted,
        )  # fmt: skip

    found, rest = counted_page(call, fetch, lambda request: request.request_id)
    return {"RequestedQuotas": [_shown(request) for request in found], **rest}


def _shown(request: QuotaRequest) -> dict[str, Any]:
    return {
        "Id": request.request_id,
        **named(QUOTAS[request.quota_id], request.region, request.account),
        "DesiredValue": request.desired,
        "Status": request.status,
        "Created": request.created_at,
        "LastUpdated": request.updated_at,
        "Requester": request.requester,
        "QuotaRequestedAtLevel": "ACCOUNT",
    }
