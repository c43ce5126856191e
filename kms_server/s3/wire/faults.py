"""Errors as S3 writes them; the only place that knows what S3 calls the errors of other services."""

import hashlib
from base64 import b64encode

from kms_server import errors
from kms_server.errors import ServiceError
from kms_server.protocol.message import Response
from kms_server.s3 import errors as s3
from kms_server.s3.errors import S3Error
from kms_server.s3.wire.xml_writer import CONTENT_TYPE, document

_NOT_MODIFIED = 304
_S3: dict[type[ServiceError], type[S3Error]] = {
    errors.DependencyTimeoutException: s3.ServiceUnavailable,
    errors.ExpiredTokenException: s3.ExpiredToken,
    errors.IncompleteSignatureException: s3.AuthorizationHeaderMalformed,
    errors.InvalidSignatureException: s3.SignatureDoesNotMatch,
    errors.MissingAuthenticationTokenException: s3.AccessDenied,
    errors.RequestEntityTooLargeException: s3.MaxMessageLengthExceeded,
    errors.ThrottlingException: s3.SlowDown,
    errors.UnrecognizedClientException: s3.InvalidAccessKeyId,
}


def identification(request_id: str) -> tuple[tuple[str, str], ...]:
    """The headers by which an answer is known."""
    host_id = b64encode(hashlib.sha256(request_id.encode()).digest()).decode()
    return (("x-amz-request-id", request_id), ("x-amz-id-2", host_id))


def fault(error: ServiceError, request_id: str, *, resource: str | None = None, head: bool) -> Response:
    """The response of a call that failed. An answer to HEAD (`head`) and 304 have no body."""
    told = s3_error(error)
    headers = identification(request_id)
    if head or told.status == _NOT_MODIFIED:
        return Response(told.status, headers, b"")
    body = document(
        "Error",
        {
            "Code": told.code, "Message": told.message, **told.details, "Resource": resource, "RequestId": request_id,
            "HostId": headers[1][1],
        },
        namespace=None,
    )  # fmt: skip
    return Response(told.status, (*headers, ("Content-Type", CONTENT_TYPE)), body)


def s3_error(error: ServiceError) -> S3Error:
    """What S3 calls an error; what it has no name for is its own fault."""
    if isinstance(error, S3Error):
        return error
    if isinstance(error, errors.AccessDeniedException):
        return s3.AccessDenied(error.message or None)
    return _S3.get(type(error), s3.InternalError)()
