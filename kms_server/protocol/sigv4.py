"""Verification of AWS Signature Version 4, in the Authorization header or in the query string.

Error texts are AWS's; facts of the order: form, scope, clock, signature.
"""

import hmac
from functools import lru_cache
from urllib.parse import unquote

from kms_server.arn import is_region
from kms_server.crypto.kdf import Prf
from kms_server.errors import (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
)
from kms_server.protocol.canonical import SignedHeaders, canonical_request, parse_query, payload_hash
from kms_server.protocol.message import Request
from kms_server.protocol.signed import (
    ALGORITHM,
    TERMINATOR,
    Claim,
    Credential,
    MalformedCredential,
    Signed,
    epoch,
    header_parts,
    read_header,
    stamp_of,
    string_to_sign,
)

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method. Consult the service documentation for details."
)
_PRESIGNED = "X-Amz-Algorithm="
# Strangers choose what is remembered: no more of it than clients send.
_FEW_HEADERS = 48
_HEADER_PARTS = ("Credential", "Signature", "SignedHeaders")
_QUERY_PARTS = ("Algorithm", "Credential", "Signature", "SignedHeaders", "Date")


def parse(request: Request) -> Signed:
    """Read the signature of a request without verifying it.

    Raises:
        MissingAuthenticationTokenException: there is none.
        IncompleteSignatureException: parts are missing or malformed.
        InvalidSignatureException: the request carries two.
    """
    authorization = request.headers.get("authorization")
    presigned = _PRESIGNED in request.target and _PRESIGNED in request.query
    if authorization is not None and presigned:
        raise InvalidSignatureException(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
        )
    try:
        if authorization is not None:
            return _parse_header(request, authorization)
        if presigned:
            return _parse_query(request)
    except MalformedCredential as malformed:
        raise IncompleteSignatureException(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{malformed}'"
        ) from None
    raise MissingAuthenticationTokenException


def _parse_header(request: Request, authorization: str) -> Signed:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise MissingAuthenticationTokenException
    timestamp = request.headers.get("x-amz-date") or request.headers.get("date")
    claim, signature = read_header(rest)
    if claim is None or not signature or not timestamp:
        raise _incomplete(algorithm, rest, timestamp)
    return Signed(claim, signature, timestamp, None, request.headers.get("x-amz-security-token"))


def _incomplete(algorithm: str, rest: str, timestamp: str | None) -> IncompleteSignatureException:
    parts = header_parts(rest)
    missing = [
        f"Authorization header requires '{name}' parameter." for name in _HEADER_PARTS if not parts.get(name)
    ]
    if not timestamp:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    return IncompleteSignatureException(f"{' '.join(missing)} Authorization={algorithm}")


def _parse_query(request: Request) -> Signed:
    pairs = parse_query(request.query)
    values = {name: unquote(value) for name, value in pairs}
    missing = [
        f"AWS query-string parameters must include 'X-Amz-{name}'."
        for name in _QUERY_PARTS
        if not values.get(f"X-Amz-{name}")
    ]
    if missing or len(values) != len(pairs):
        raise IncompleteSignatureException(
            f"{' '.join(missing)} Re-examine the query-string parameters.".strip()
        )
    expires = values.get("X-Amz-Expires", "")
    if (
        values["X-Amz-Algorithm"] != ALGORITHM
        or not expires.isdecimal()
        or not 1 <= int(expires[:7]) <= 604_800
    ):
        raise IncompleteSignatureException("Re-examine the query-string parameters.")
    return Signed(
        Claim.read(values["X-Amz-Credential"], values["X-Amz-SignedHeaders"]), values["X-Amz-Signature"],
        values["X-Amz-Date"], int(expires[:7]), values.get("X-Amz-Security-Token"),
    )  # fmt: skip


@lru_cache(maxsize=4_096)
def check_scope(credential: Credential, service: str) -> None:
    """Check the scope of a signature.

    Raises:
        InvalidSignatureException: wrong Region, service or terminator; the sentences are joined.
    """
    wrong = ""
    if not is_region(credential.region):
        wrong += "Credential should be scoped to a valid region. "
    if credential.service != service:
        wrong += f"Credential should be scoped to correct service: '{service}'. "
    if credential.terminator != TERMINATOR:
        wrong += f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{credential.terminator}'."
    if wrong:
        raise InvalidSignatureException(wrong)


def signature(request: Request, signed: Signed, key: Prf) -> str:
    """The signature that `request` must have."""
    claim = signed.claim
    canonical = canonical_request(request, claim.signed_headers, claim.names)
    return key.digest(string_to_sign(signed, canonical.encode()).encode()).hex()


def verify(
    request: Request, signed: Signed, key: Prf, *, now: float, window: float, presigned_lifetime: float
) -> None:
    """Verify a signature at real time `now` (epoch seconds); `window` and `presigned_lifetime` are in seconds.

    Raises:
        InvalidSignatureException: outside the clock window, headers unsigned, body or signature different.
    """
    _check_clock(signed, now, window, presigned_lifetime)
    headers, names = request.headers, signed.claim.names
    find = _unsigned if len(headers) + len(names) <= _FEW_HEADERS else _unsigned.__wrapped__
    unsigned = find(tuple(headers), names)
    if unsigned is not None:
        raise InvalidSignatureException(f"{unsigned} must be a 'SignedHeader' in the AWS Authorization.")
    if "x-amz-content-sha256" in headers and headers["x-amz-content-sha256"] != payload_hash(request.body):
        raise InvalidSignatureException(_MISMATCH)
    if not hmac.compare_digest(signature(request, signed, key).encode(), signed.signature.encode()):
        raise InvalidSignatureException(_MISMATCH)


@lru_cache(maxsize=128)
def _unsigned(sent: tuple[str, ...], signed: SignedHeaders) -> str | None:
    """The header that must be signed and is not, in AWS's words; the requests of a client have the same names."""
    if "host" not in signed:
        return "'Host' or ':authority'"
    return next((f"'{name}'" for name in sent if name[:6] == "x-amz-" and name not in signed), None)


def _check_clock(signed: Signed, now: float, window: float, presigned_lifetime: float) -> None:
    day, stamp, expires = signed.claim.credential.date, signed.timestamp, signed.presigned_expires
    signed_at = epoch(stamp)
    if signed_at is None:
        raise InvalidSignatureException(
            f"Date must be in ISO-8601 'basic format'. Got '{stamp}'. See http://en.wikipedia.org/wiki/ISO_8601"
        )
    if day != stamp[:8]:
        raise InvalidSignatureException(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{day}' != '{stamp[:8]}', from '{stamp}'."
        )
    lifetime = window
    if expires is not None:
        lifetime = min(expires, presigned_lifetime)
    if signed_at < now - lifetime:
        raise InvalidSignatureException(
            f"Signature expired: {stamp} is now earlier than {stamp_of(now - lifetime)} "
            f"({stamp_of(now)} - {lifetime / 60:g} min.)"
        )
    if signed_at > now + window:
        raise InvalidSignatureException(
            f"Signature not yet current: {stamp} is still later than {stamp_of(now + window)} "
            f"({stamp_of(now)} + {window / 60:g} min.)"
        )
