"""Verification of AWS Signature Version 4, in the Authorization header or in the query string.

Error texts are AWS's; facts of the order: form, scope, clock, signature.
"""

import hashlib
import hmac
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from time import gmtime, strftime
from typing import NamedTuple
from urllib.parse import unquote

from kms_server.arn import is_region
from kms_server.crypto.kdf import Prf
from kms_server.errors import (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
)
from kms_server.protocol.canonical import canonical_request, parse_query, payload_hash
from kms_server.protocol.message import Request

_ALGORITHM = "AWS4-HMAC-SHA256"
_TERMINATOR = "aws4_request"
# Characters of an Authorization header that are remembered: strangers choose what is in it.
_MOST_REMEMBERED = 1_024
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method. Consult the service documentation for details."
)
_HEADER_PARTS = ("Credential", "Signature", "SignedHeaders")
_QUERY_PARTS = ("Algorithm", "Credential", "Signature", "SignedHeaders", "Date")


class Credential(NamedTuple):
    """Access key id and scope of a signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str = _TERMINATOR

    @property
    def scope(self) -> str:
        """What the signature is good for."""
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"


class Claim(NamedTuple):
    """Who signed which headers, in which scope: what a client repeats in all its requests of a day.

    `signed_headers` is the list as it stands in the request, `names` the same one by one.
    """

    credential: Credential
    signed_headers: str
    names: tuple[str, ...]


class Signed(NamedTuple):
    """The parts of a signed request; `presigned_expires` is in seconds and None for header signatures."""

    claim: Claim
    signature: str
    timestamp: str
    presigned_expires: int | None
    session_token: str | None


def parse(request: Request) -> Signed:
    """Read the signature of a request without verifying it.

    Raises:
        MissingAuthenticationTokenException: there is none.
        IncompleteSignatureException: parts are missing or malformed.
        InvalidSignatureException: the request carries two.
    """
    authorization = request.headers.get("authorization")
    presigned = "X-Amz-Algorithm=" in request.query
    if authorization is not None and presigned:
        raise InvalidSignatureException(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
        )
    if authorization is not None:
        return _parse_header(request, authorization)
    if presigned:
        return _parse_query(request)
    raise MissingAuthenticationTokenException


def _parse_header(request: Request, authorization: str) -> Signed:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != _ALGORITHM:
        raise MissingAuthenticationTokenException
    # Every client sends the signature, which differs from request to request, behind what it repeats.
    repeated, _, last = rest.rpartition(",")
    name, _, signature = last.strip().partition("=")
    timestamp = request.headers.get("x-amz-date") or request.headers.get("date")
    if name != "Signature":
        repeated, signature = rest, _parts(rest).get("Signature", "")
    if not signature or not timestamp:
        raise _incomplete(algorithm, rest, timestamp)
    claim = _known_claim(repeated) if len(repeated) <= _MOST_REMEMBERED else _claim(repeated)
    if claim is None:
        raise _incomplete(algorithm, rest, timestamp)
    return Signed(claim, signature, timestamp, None, request.headers.get("x-amz-security-token"))


def _parts(text: str) -> dict[str, str]:
    pairs = (item.strip().partition("=") for item in text.split(","))
    return {name: value for name, _, value in pairs}


def _claim(text: str) -> Claim | None:
    parts = _parts(text)
    credential, signed_headers = parts.get("Credential"), parts.get("SignedHeaders")
    return _claimed(credential, signed_headers) if credential and signed_headers else None


_known_claim = lru_cache(maxsize=4_096)(_claim)


def _claimed(credential: str, signed_headers: str) -> Claim:
    return Claim(_credential(credential), signed_headers, tuple(signed_headers.split(";")))


def _incomplete(algorithm: str, rest: str, timestamp: str | None) -> IncompleteSignatureException:
    parts = _parts(rest)
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
        values["X-Amz-Algorithm"] != _ALGORITHM
        or not expires.isdecimal()
        or not 1 <= int(expires[:7]) <= 604_800
    ):
        raise IncompleteSignatureException("Re-examine the query-string parameters.")
    return Signed(
        _claimed(values["X-Amz-Credential"], values["X-Amz-SignedHeaders"]), values["X-Amz-Signature"],
        values["X-Amz-Date"], int(expires[:7]), values.get("X-Amz-Security-Token"),
    )  # fmt: skip


def _credential(text: str) -> Credential:
    parts = text.split("/")
    if len(parts) != 5:
        raise IncompleteSignatureException(
            f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{text}'"
        )
    return Credential(*parts)


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
    if credential.terminator != _TERMINATOR:
        wrong += f"Credential should be scoped with a valid terminator: '{_TERMINATOR}', not '{credential.terminator}'."
    if wrong:
        raise InvalidSignatureException(wrong)


def signing_key(secret: str, date: str, region: str, service: str) -> Prf:
    """SigV4 task 3: the key derived from a secret access key for one day, Region and service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, _TERMINATOR):
        key = Prf(key).digest(part.encode())
    return Prf(key)


def signature(request: Request, signed: Signed, key: Prf) -> str:
    """SigV4 tasks 1, 2 and 4: the signature that `request` must have."""
    credential, names_text, names = signed.claim
    canonical = canonical_request(request, names_text, names, payload_hash(request.body))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{signed.timestamp}\n{credential.scope}\n{digest}"
    return key.digest(text.encode()).hex()


def verify(
    request: Request, signed: Signed, key: Prf, *, now: float, window: float, presigned_lifetime: float
) -> None:
    """Verify a signature at real time `now` (epoch seconds); `window` and `presigned_lifetime` are in seconds.

    Raises:
        InvalidSignatureException: outside the clock window, headers unsigned, body or signature different.
    """
    _check_clock(signed, now, window, presigned_lifetime)
    _check_signed_headers(request, signed.claim.names)
    declared = request.headers.get("x-amz-content-sha256")
    if declared is not None and declared != payload_hash(request.body):
        raise InvalidSignatureException(_MISMATCH)
    if not hmac.compare_digest(signature(request, signed, key).encode(), signed.signature.encode()):
        raise InvalidSignatureException(_MISMATCH)


def _check_signed_headers(request: Request, names: tuple[str, ...]) -> None:
    if "host" not in names:
        raise InvalidSignatureException(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    for name in request.headers:
        if name[:6] == "x-amz-" and name not in names:
            raise InvalidSignatureException(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def _check_clock(signed: Signed, now: float, window: float, presigned_lifetime: float) -> None:
    stamp, day = signed.timestamp, signed.claim.credential.date
    signed_at = _epoch(stamp)
    if day != stamp[:8]:
        raise InvalidSignatureException(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{day}' != '{stamp[:8]}', from '{stamp}'."
        )
    lifetime = window
    if signed.presigned_expires is not None:
        lifetime = min(signed.presigned_expires, presigned_lifetime)
    if signed_at < now - lifetime:
        raise InvalidSignatureException(
            f"Signature expired: {stamp} is now earlier than {_stamp(now - lifetime)} "
            f"({_stamp(now)} - {lifetime / 60:g} min.)"
        )
    if signed_at > now + window:
        raise InvalidSignatureException(
            f"Signature not yet current: {stamp} is still later than {_stamp(now + window)} "
            f"({_stamp(now)} + {window / 60:g} min.)"
        )


@lru_cache(maxsize=64)
def _epoch(stamp: str) -> float:
    digits = stamp[:8] + stamp[9:15]
    if len(stamp) == 16 and stamp[8] + stamp[15] == "TZ" and digits.isascii() and digits.isdecimal():
        year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
        hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:])
        with suppress(ValueError):  # thirteenth months and the like
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    raise InvalidSignatureException(
        f"Date must be in ISO-8601 'basic format'. Got '{stamp}'. See http://en.wikipedia.org/wiki/ISO_8601"
    )


def _stamp(epoch: float) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(epoch))
