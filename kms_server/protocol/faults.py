"""Answers and errors as AWS JSON 1.1 responses; the only place that knows an error's HTTP status."""

from collections.abc import Mapping
from typing import Any

from kms_server.errors import (
    DependencyTimeoutException,
    KMSInternalException,
    RequestEntityTooLargeException,
    ServerFault,
    ServiceError,
    ThrottlingException,
)
from kms_server.protocol.json_reader import write
from kms_server.protocol.message import Response

CONTENT_TYPE = "application/x-amz-json-1.1"
# The headers of every answer.
COMMON = (
    ("Content-Type", CONTENT_TYPE),
    ("Cache-Control", "no-cache, no-store, must-revalidate, private"),
    ("Expires", "0"),
    ("Pragma", "no-cache"),
)
_STATUS: dict[type[ServiceError], int] = {
    RequestEntityTooLargeException: 413,
    DependencyTimeoutException: 503,
}
# What a service calls errors of all operations, and its texts, where KMS has others (botocore's model of Service Quotas).
_OF_SERVICE: dict[tuple[str | None, type[ServiceError]], tuple[str, str]] = {
    ("servicequotas", ThrottlingException): ("TooManyRequestsException", "Rate exceeded"),
    ("servicequotas", KMSInternalException): ("ServiceException", "Something went wrong. Try again."),
}


def answer(result: Mapping[str, Any] | None, request_id: str) -> Response:
    """The response of a call that succeeded; operations without output answer an empty body."""
    body = b"" if result is None else write(result)
    return Response(200, (*COMMON, ("x-amzn-RequestId", request_id)), body)


def fault(error: ServiceError, service: str | None, request_id: str) -> Response:
    """The response of a call that failed: `__type` is the bare shape name, no message no member.

    No service where the request names none.
    """
    status = _STATUS.get(type(error), 500 if isinstance(error, ServerFault) else 400)
    code, message = _OF_SERVICE.get((service, type(error)), (error.code, error.message))
    content = {"__type": code}
    if message:
        content["message"] = message
    headers = (*COMMON, ("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", code))
    return Response(status, headers, write(content))
