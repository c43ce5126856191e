"""Presigned URLs of signature version 2: what boto3 and the AWS CLI 1 still make in us-east-1, unless told otherwise.

AWS "Signing and authenticating REST requests", "Query string request authentication alternative". The version is taken
in URLs alone; an Authorization header of it is refused, as in every Region of AWS since 2014.
"""

import base64
import hmac
from collections.abc import Mapping
from typing import NamedTuple

from kms_server.clock import iso_seconds
from kms_server.protocol.message import Request
from kms_server.s3.errors import AccessDenied, SignatureDoesNotMatch
from kms_server.s3.wire import paths

_ACCESS_KEY_ID = "AWSAccessKeyId"
_PARTS = (_ACCESS_KEY_ID, "Signature", "Expires")
_TOKEN = "x-amz-security-token"  # noqa: S105 - a name
# Parameters that are signed and name no subresource.
_SIGNED = frozenset(
    {"partNumber", "uploadId", "versionId"}
    | {
        f"response-{name}"
        for name in (
            "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires",
        )
    }
)  # fmt: skip


class Presigned(NamedTuple):
    """What a URL says of its signature, unverified; `expires` is in epoch seconds, `query` decoded."""

    access_key_id: str
    signature: str
    expires: int
    session_token: str | None
    query: Mapping[str, str]


def is_legacy(request: Request) -> bool:
    """Whether a request is such a URL's, and will be verified as such."""
    return "authorization" not in request.headers and any(
        item.startswith(f"{_ACCESS_KEY_ID}=") for item in request.query.split("&")
    )


def parse(request: Request) -> Presigned | None:
    """The signature of a URL; None: the request is signed another way, or not at all.

    Raises:
        AccessDenied: parts are missing or malformed.
        InvalidArgument, InvalidURI: the query cannot be read.
    """
    if not is_legacy(request):
        return None
    query = paths.parse_query(request.query)
    if any(not query.get(name) for name in _PARTS):
        raise AccessDenied(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        )
    access_key_id, signature, expires = (query[name] for name in _PARTS)
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        raise AccessDenied(f"Invalid date (should be seconds since epoch): {expires}")
    token = query.get(_TOKEN) or request.headers.get(_TOKEN)
    return Presigned(access_key_id, signature, int(expires), token, query)


def verify(
    request: Request, signed: Presigned, secret: str, *, bucket: str | None, subresources: frozenset[str], now: float
) -> None:  # fmt: skip
    """Verify a signature at real time `now` (epoch seconds).

    `bucket` is the one that the host names. A URL says nothing of parameters that are not signed, so that all
    `subresources` are, even where a client leaves them out.

    Raises:
        AccessDenied: it has expired.
        SignatureDoesNotMatch
    """
    if now > signed.expires:
        raise AccessDenied(
            "Request has expired", Expires=iso_seconds(signed.expires), ServerTime=iso_seconds(now)
        )
    text = string_to_sign(request, signed, bucket, subresources)
    digest = hmac.digest(secret.encode(), text.encode("latin-1"), "sha1")
    if not hmac.compare_digest(base64.b64encode(digest), signed.signature.encode()):
        raise SignatureDoesNotMatch(
            AWSAccessKeyId=signed.access_key_id, StringToSign=text, SignatureProvided=signed.signature
        )


def string_to_sign(
    request: Request, signed: Presigned, bucket: str | None, subresources: frozenset[str]
) -> str:
    """What a client signs, in characters that stand for bytes.

    That is the method, the body's hash and type, the expiry, headers of AWS, bucket, path and subresources.
    """
    query = {name: value.encode().decode("latin-1") for name, value in signed.query.items()}
    headers = paths.with_hoisted(request, query).headers
    plain = [headers.get(name) or query.get(name, "") for name in ("content-md5", "content-type")]
    of_aws = sorted(f"{name}:{value.strip()}" for name, value in headers.items() if name.startswith("x-amz-"))
    resource = (f"/{bucket}" if bucket else "") + request.path
    asked = sorted(_SIGNED.union(subresources).intersection(query))
    pairs = [f"{name}={query[name]}" if query[name] else name for name in asked]
    place = f"{resource}?{'&'.join(pairs)}" if pairs else resource
    return "\n".join([request.method, *plain, f"{signed.expires}", *of_aws, place])
