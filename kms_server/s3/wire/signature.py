"""The SigV4 signature of an S3 request, in its Authorization header or its query; `verification` verifies it.

AWS "Authenticating Requests (AWS Signature Version 4)" of S3's API reference.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from kms_server.arn import is_region
from kms_server.config import DEFAULT_REGION
from kms_server.protocol.canonical import parse_query
from kms_server.protocol.message import Request
from kms_server.protocol.signed import (
    ALGORITHM,
    TERMINATOR,
    Claim,
    MalformedCredential,
    Signed,
    epoch,
    read_header,
)
from kms_server.s3.errors import (
    AccessDenied,
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidArgument,
    InvalidRequest,
    S3Error,
)

SERVICE = "s3"
_LONGEST_PRESIGNED = 604_800
_QUERY_PARTS = tuple(
    f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires")
)
_FORM_PARTS = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_NO_MECHANISM = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
_CREDENTIAL_FORM = (
    'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
)


def parse(request: Request) -> Signed | None:
    """The signature of a request, unverified; None of an anonymous one.

    Raises:
        InvalidRequest, InvalidArgument: another mechanism, or two.
        AccessDenied: no date.
        AuthorizationHeaderMalformed, AuthorizationQueryParametersError: parts are missing or malformed.
    """
    authorization = request.headers.get("authorization")
    pairs = query_pairs(request.query) if request.query else []
    query = {name: unquote(value) for name, value in pairs}
    if "X-Amz-Algorithm" not in query:
        return None if authorization is None else _from_header(request, authorization)
    if authorization is not None:
        raise only_one_mechanism()
    if len(query) != len(pairs):
        raise AuthorizationQueryParametersError
    return _from_query(request, query)


def only_one_mechanism() -> InvalidArgument:
    """The error for a request with two signatures."""
    return InvalidArgument(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
        "parameter or the Authorization header should be specified",
        ArgumentName="Authorization",
    )


def _from_header(request: Request, authorization: str) -> Signed:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm == "AWS":
        raise InvalidRequest(_NO_MECHANISM)
    if algorithm != ALGORITHM:
        raise InvalidArgument("Unsupported Authorization Type", ArgumentName="Authorization")
    timestamp = request.headers.get("x-amz-date") or request.headers.get("date")
    if timestamp is None or epoch(timestamp) is None:
        raise AccessDenied("AWS authentication requires a valid Date or x-amz-date header")
    try:
        claim, signature = read_header(rest)
    except MalformedCredential:
        raise _malformed(_CREDENTIAL_FORM, presigned=False) from None
    if claim is None or not signature:
        raise _malformed(
            "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
            presigned=False,
        )
    return Signed(claim, signature, timestamp, None, request.headers.get("x-amz-security-token"))


def _from_query(request: Request, query: dict[str, str]) -> Signed:
    if any(not query.get(name) for name in _QUERY_PARTS):
        raise AuthorizationQueryParametersError(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise AuthorizationQueryParametersError(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    if epoch(query["X-Amz-Date"]) is None:
        raise AuthorizationQueryParametersError(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        )
    try:
        claim = Claim.read(query["X-Amz-Credential"], query["X-Amz-SignedHeaders"])
    except MalformedCredential:
        raise _malformed(_CREDENTIAL_FORM, presigned=True) from None
    token = query.get("X-Amz-Security-Token") or request.headers.get("x-amz-security-token")
    expires = _expires(query["X-Amz-Expires"])
    return Signed(claim, query["X-Amz-Signature"], query["X-Amz-Date"], expires, token)


def parse_form(fields: Mapping[str, str]) -> Signed | None:
    """The signature of a POST form's policy, unverified; None of an anonymous one. Names are in lower case.

    Raises:
        InvalidRequest: another mechanism.
        InvalidArgument: parts are missing or malformed.
    """
    if "policy" not in fields:
        return None
    for name in _FORM_PARTS:
        if not fields.get(name):
            raise InvalidArgument(
                f"Bucket POST must contain a field named '{name}'. If it is specified, please check the order of "
                "the fields.",
                ArgumentName=name,
            )
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise InvalidRequest(_NO_MECHANISM)
    stamp = fields["x-amz-date"]
    if epoch(stamp) is None:
        raise InvalidArgument("Invalid x-amz-date", ArgumentName="x-amz-date", ArgumentValue=stamp)
    try:
        claim = Claim.read(fields["x-amz-credential"], "")
    except MalformedCredential:
        raise _malformed(_CREDENTIAL_FORM, presigned=True) from None
    # How long a form is good for its policy says.
    return Signed(claim, fields["x-amz-signature"], stamp, 0, fields.get("x-amz-security-token"))


def _expires(text: str) -> int:
    if not re.fullmatch("-?[0-9]+", text):
        raise AuthorizationQueryParametersError("X-Amz-Expires should be a number")
    if text.startswith("-"):
        raise AuthorizationQueryParametersError("X-Amz-Expires must be non-negative")
    seconds = int(text[:12])
    if seconds > _LONGEST_PRESIGNED:
        raise AuthorizationQueryParametersError(
            "X-Amz-Expires must be less than a week (in seconds) that is 604800"
        )
    if not seconds:
        raise AuthorizationQueryParametersError("X-Amz-Expires must be at least 1")
    return seconds


def check_scope(signed: Signed) -> None:
    """Check the scope of a signature; of its Region only that there is such a one.

    Raises:
        AuthorizationHeaderMalformed, AuthorizationQueryParametersError
    """
    credential, presigned = signed.claim.credential, signed.presigned_expires is not None
    if credential.date != signed.timestamp[:8]:
        raise _malformed(
            f'Invalid credential date "{credential.date}". This date is not the same as X-Amz-Date: '
            f'"{signed.timestamp[:8]}".',
            presigned=presigned,
        )
    if credential.service != SERVICE:
        raise _malformed(
            f'incorrect service "{credential.service}". This endpoint belongs to "{SERVICE}".',
            presigned=presigned,
        )
    if credential.terminator != TERMINATOR:
        raise _malformed(
            f'incorrect terminal "{credential.terminator}". This endpoint uses "{TERMINATOR}".',
            presigned=presigned,
        )
    if not is_region(credential.region):
        check_region(credential.region, DEFAULT_REGION, presigned=presigned)


def check_region(region: str, expected: str, *, presigned: bool) -> None:
    """Check the Region of a scope against that of the bucket.

    Raises:
        AuthorizationHeaderMalformed, AuthorizationQueryParametersError
    """
    if region != expected:
        raise _malformed(
            f"the region '{region}' is wrong; expecting '{expected}'", presigned=presigned, Region=expected
        )


def _malformed(text: str, *, presigned: bool, **details: str) -> S3Error:
    if presigned:
        return AuthorizationQueryParametersError(
            f"Error parsing the X-Amz-Credential parameter; {text}", **details
        )
    return AuthorizationHeaderMalformed(f"The authorization header is malformed; {text}", **details)


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Names and values of a query, percent-encoded as SigV4 does it; a plus sign is a blank."""
    return parse_query(query.replace("+", "%20"))
