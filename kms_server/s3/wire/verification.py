"""Whether a signature is that of its request (AWS "Authenticating Requests (AWS Signature Version 4)" of S3's API)."""

import hmac
import re
from urllib.parse import quote, unquote_to_bytes

from kms_server.clock import iso_seconds
from kms_server.crypto.kdf import Prf
from kms_server.protocol.canonical import UNRESERVED, canonical_headers, canonical_query
from kms_server.protocol.message import Request
from kms_server.protocol.signed import Signed, epoch, string_to_sign
from kms_server.s3.errors import (
    AccessDenied,
    InvalidArgument,
    InvalidRequest,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)
from kms_server.s3.wire.aws_chunked import MODES
from kms_server.s3.wire.signature import query_pairs

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
HASH_HEADER = "x-amz-content-sha256"
# Seconds that a client's clock may be off.
CLOCK_WINDOW = 900.0
_HEX_HASH = re.compile("[0-9a-f]{64}")


def verify(request: Request, signed: Signed, key: Prf, *, now: float) -> None:
    """Verify a signature at real time `now` (epoch seconds); of the body only what the request says is verified.

    Raises:
        RequestTimeTooSkewed, AccessDenied: outside the clock window, expired, or headers are unsigned.
        InvalidRequest, InvalidArgument: what it says of the body is missing or malformed.
        SignatureDoesNotMatch
    """
    check_clock(signed, now)
    _check_signed_headers(request, signed)
    text = string_to_sign(signed, canonical_request(request, signed).encode("latin-1"))
    check_signature(signed, text, key)


def check_signature(signed: Signed, text: str, key: Prf) -> None:
    """Verify the signature of a string to sign.

    Raises:
        SignatureDoesNotMatch
    """
    expected = key.digest(text.encode("latin-1")).hex()
    if not hmac.compare_digest(expected.encode(), signed.signature.encode()):
        raise SignatureDoesNotMatch(
            AWSAccessKeyId=signed.claim.credential.access_key_id,
            StringToSign=text,
            SignatureProvided=signed.signature,
        )


def check_clock(signed: Signed, now: float) -> None:
    """Check when a request was signed.

    Raises:
        RequestTimeTooSkewed, AccessDenied
    """
    signed_at = epoch(signed.timestamp) or 0.0
    if signed.presigned_expires is None:
        if abs(now - signed_at) > CLOCK_WINDOW:
            raise RequestTimeTooSkewed(
                RequestTime=signed.timestamp,
                ServerTime=iso_seconds(now),
                MaxAllowedSkewMilliseconds=f"{CLOCK_WINDOW * 1_000:.0f}",
            )
        return
    if signed_at > now + CLOCK_WINDOW:
        raise AccessDenied("Request is not valid yet")
    expires_at = signed_at + signed.presigned_expires
    if now > expires_at:
        details = {"X-Amz-Expires": f"{signed.presigned_expires}", "Expires": iso_seconds(expires_at)}
        raise AccessDenied("Request has expired", **details, ServerTime=iso_seconds(now))


def _check_signed_headers(request: Request, signed: Signed) -> None:
    names = signed.claim.names
    unsigned = [name for name in request.headers if name[:6] == "x-amz-" and name not in names]
    if "host" not in names:
        unsigned.insert(0, "host")
    if unsigned:
        raise AccessDenied(
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(unsigned),
        )


def canonical_request(request: Request, signed: Signed) -> str:
    """SigV4 task 1, in characters that stand for bytes."""
    claim = signed.claim
    return (
        f"{request.method}\n{_canonical_path(request.path)}\n{canonical_query(query_pairs(request.query))}\n"
        f"{canonical_headers(request, claim.names)}\n{claim.signed_headers}\n{payload_hash(request, signed)}"
    )


def _canonical_path(path: str) -> str:
    """The path percent-decoded and encoded once; nothing in it is normalised."""
    return quote(unquote_to_bytes(path), safe=f"/{UNRESERVED}") or "/"


def payload_hash(request: Request, signed: Signed) -> str:
    """What stands for the body in the canonical request.

    Raises:
        InvalidRequest: it is missing.
        InvalidArgument: it can be no such thing.
    """
    told = request.headers.get(HASH_HEADER)
    if told is None and signed.presigned_expires is not None:
        told = dict(query_pairs(request.query)).get("X-Amz-Content-Sha256", UNSIGNED_PAYLOAD)
    if told is None:
        raise InvalidRequest(f"Missing required header for this request: {HASH_HEADER}")
    check_payload_hash(told)
    return told


def check_payload_hash(told: str) -> None:
    """Check the form of a value of x-amz-content-sha256.

    Raises:
        InvalidArgument
    """
    if told == UNSIGNED_PAYLOAD or told in MODES or _HEX_HASH.fullmatch(told):
        return
    raise InvalidArgument(
        f"{HASH_HEADER} must be {UNSIGNED_PAYLOAD}, {', '.join(MODES)}, or a valid sha256 value.",
        ArgumentName=HASH_HEADER,
        ArgumentValue=told,
    )
