"""What is answered before a request is taken for a call: other methods, other content types, CORS."""

from kms_server.protocol.faults import CONTENT_TYPE
from kms_server.protocol.json_reader import write
from kms_server.protocol.message import Request, Response

# What stands before the operation's name in X-Amz-Target.
SERVICES = {
    "TrentService": "kms",
    "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "cloudtrail",
    "CloudTrail_20131101": "cloudtrail",
    "ServiceQuotasV20190624": "servicequotas",
}
# What lets a web page of any origin read an answer.
READABLE = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"),
)  # fmt: skip
_PREFLIGHT = (*READABLE, ("Access-Control-Allow-Methods", "POST"), ("Access-Control-Max-Age", "172800"))
_DENIED = (
    "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n"
    "</AccessDeniedException>\n"
)


def is_json(request: Request) -> bool:
    """Whether a request is an AWS JSON 1.1 call."""
    if request.method != "POST":
        return False
    return request.headers.get("content-type") == CONTENT_TYPE or _content_type(request) == CONTENT_TYPE


def answer(request: Request, request_id: str) -> Response:
    """The answer to a request that is a call in none of AWS's protocols."""
    if request.method == "OPTIONS":
        return Response(200, (*_PREFLIGHT, ("x-amzn-RequestId", request_id)), b"")
    if request.method != "POST":
        return _xml(403, _DENIED, request_id)
    if _content_type(request) == "application/json":
        body = {"Output": {"__type": "com.amazon.coral.service#UnknownOperationException"}, "Version": "1.0"}
        headers = (("Content-Type", "application/json"), ("x-amzn-RequestId", request_id))
        return Response(404, headers, write(body))
    if "x-amz-target" in request.headers:
        return _xml(404, "<UnknownOperationException/>\n", request_id)
    return _xml(403, _DENIED, request_id)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _xml(status: int, body: str, request_id: str) -> Response:
    return Response(status, (("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id)), body.encode())
