"""Answers and errors of the query protocol as XML; the only place that knows its error codes and statuses."""

import re
from xml.sax.saxutils import escape

from kms_server import errors as e
from kms_server.errors import ServerFault, ServiceError
from kms_server.protocol.message import Response

CONTENT_TYPE = "text/xml"
NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
# Codes that are more than the shape's name without "Exception", and statuses that are not 400 (botocore's models
# of IAM and STS; "Common errors" of both API references).
_CODES: dict[type[ServiceError], str] = {
    e.ExpiredIdentityToken: "ExpiredTokenException",
    e.InvalidSignatureException: "SignatureDoesNotMatch",
    e.KMSInternalException: "InternalFailure",
    e.SerializationException: "MalformedInput",
    e.ThrottlingException: "Throttling",
    e.UnknownOperationException: "InvalidAction",
    e.UnrecognizedClientException: "InvalidClientTokenId",
    e.ValidationException: "ValidationError",
}
_STATUSES: dict[type[ServiceError], int] = {
    e.AccessDeniedException: 403,
    e.ConcurrentModificationException: 409,
    e.DeleteConflictException: 409,
    e.EntityAlreadyExistsException: 409,
    e.ExpiredTokenException: 403,
    e.IDPRejectedClaimException: 403,
    e.InvalidSignatureException: 403,
    e.LimitExceededException: 409,
    e.MissingAuthenticationTokenException: 403,
    e.NoSuchEntityException: 404,
    e.RequestEntityTooLargeException: 413,
    e.UnrecognizedClientException: 403,
}
_TEXTS: dict[type[ServiceError], str] = {e.ThrottlingException: "Rate exceeded"}
# XML 1.0 has no way to write these (section 2.2).
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """A text as the content of an element; characters that XML cannot hold become U+FFFD."""
    # A bare carriage return would be read as a line feed (section 2.11).
    return escape(_UNWRITABLE.sub("\ufffd", text), {"\r": "&#xD;"})


def answer(service: str, operation: str, result: str | None, request_id: str) -> Response:
    """The response of a call that succeeded; `result` is the content of its Result element, None without output."""
    told = "" if result is None else f"<{operation}Result>{result}</{operation}Result>"
    return _response(200, request_id, (
        f'<{operation}Response xmlns="{NAMESPACES[service]}">{told}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    ))  # fmt: skip


def code_of(error: type[ServiceError]) -> str:
    """What the query protocol calls an error."""
    return _CODES.get(error) or error.code.removesuffix("Exception")


def status_of(error: type[ServiceError]) -> int:
    """The HTTP status of an error."""
    return _STATUSES.get(error, 500 if issubclass(error, ServerFault) else 400)


def fault(error: ServiceError, service: str | None, request_id: str) -> Response:
    """The response of a call that failed; no service where the request names none."""
    kind = type(error)
    status = status_of(kind)
    namespace = f' xmlns="{NAMESPACES[service]}"' if service else ""
    return _response(status, request_id, (
        f"<ErrorResponse{namespace}><Error><Type>{'Receiver' if status >= 500 else 'Sender'}</Type>"
        f"<Code>{code_of(kind)}</Code><Message>{xml_text(_TEXTS.get(kind, error.message))}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ))  # fmt: skip


def _response(status: int, request_id: str, document: str) -> Response:
    headers = (("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", request_id))
    return Response(status, headers, document.encode())
