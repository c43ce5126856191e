"""Signature Version 2, in the query of a presigned URL or in a POST form; boto3 still makes both unless told otherwise.

AWS "Signing and authenticating REST requests" and "Authenticating requests in browser-based uploads using POST (AWS
Signature Version 2)" of S3's user guide. The Authorization header takes SigV4 alone.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple

from kms_server.clock import iso_seconds
from kms_server.protocol.message import Request
from kms_server.s3.errors import AccessDenied, InvalidArgument, SignatureDoesNotMatch
from kms_server.s3.wire import paths
from kms_server.s3.wire.signature import only_one_mechanism

_QUERY_PARTS = ("Signature", "Expires", "AWSAccessKeyId")
_EXPIRES = re.compile("[0-9]{1,10}")
_BLANKS = " \t"
# Query parameters that are signed: all that choose the operation, the version or part, or headers of the answer.
SIGNED_PARAMETERS = frozenset(
    {
        "abac", "accelerate", "acl", "analytics", "annotation", "attributes", "cors", "delete", "encryption",
        "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging", "metadataConfiguration",
        "metadataTable", "metrics", "notification", "object-lock", "ownershipControls", "partNumber", "policy",
        "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment", "response-cache-control",
        "response-content-disposition", "response-content-encoding", "response-content-language",
        "response-content-type", "response-expires", "restore", "retention", "select", "select-type", "session",
        "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    }
)  # fmt: skip


class SignedV2(NamedTuple):
    """A signature and the text it is of; `expires_at` is in epoch seconds, None of a form, whose policy says it."""

    access_key_id: str
    signature: str
    session_token: str | None
    text: str
    expires_at: int | None


def parse(request: Request, domain: str | None) -> SignedV2 | None:
    """The signature of a presigned URL, unverified; None where there is none of this version.

    Raises:
        InvalidArgument: there are two signatures, or the parameters may be read in two ways.
        AccessDenied: parts are missing or malformed.
        InvalidURI, KeyTooLong: the URL is malformed.
    """
    query = paths.parse_query(request.query) if request.query else {}
    if "AWSAccessKeyId" not in query and "Signature" not in query:
        return None
    if "X-Amz-Algorithm" in query or "authorization" in request.headers:
        raise only_one_mechanism()
    if any(not query.get(name) for name in _QUERY_PARTS):
        raise AccessDenied(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        )
    expires = query["Expires"]
    if not _EXPIRES.fullmatch(expires):
        raise AccessDenied(f"Invalid date (should be seconds since epoch): {expires}")
    headers = paths.with_hoisted(request, query).headers
    text = "\n".join((
        request.method, headers.get("content-md5", ""), headers.get("content-type", ""), expires,
        *_canonical_headers(headers), _canonical_resource(request, query, domain),
    ))  # fmt: skip
    token = headers.get("x-amz-security-token")
    return SignedV2(query["AWSAccessKeyId"], query["Signature"], token, text, int(expires))


def parse_form(fields: Mapping[str, str]) -> SignedV2 | None:
    """The signature of a POST form's policy, unverified; None where there is none of this version.

    Names are in lower case.

    Raises:
        InvalidArgument: parts are missing.
    """
    if "policy" not in fields or "awsaccesskeyid" not in fields or "x-amz-algorithm" in fields:
        return None
    if not fields.get("signature"):
        raise InvalidArgument(
            "Bucket POST must contain a field named 'Signature'. If it is specified, please check the order of the "
            "fields.",
            ArgumentName="Signature",
        )
    token = fields.get("x-amz-security-token")
    return SignedV2(
        fields["awsaccesskeyid"], fields["signature"], token, paths.byte_characters(fields["policy"]), None
    )


def verify(signed: SignedV2, secret: str, *, now: float) -> None:
    """Verify a signature at real time `now` (epoch seconds).

    Raises:
        AccessDenied: it has expired.
        SignatureDoesNotMatch
    """
    if signed.expires_at is not None and now > signed.expires_at:
        raise AccessDenied(
            "Request has expired", Expires=iso_seconds(signed.expires_at), ServerTime=iso_seconds(now)
        )
    expected = b64encode(hmac.digest(secret.encode(), signed.text.encode("latin-1"), "sha1"))
    if not hmac.compare_digest(expected, signed.signature.encode()):
        raise SignatureDoesNotMatch(
            AWSAccessKeyId=signed.access_key_id, StringToSign=signed.text, SignatureProvided=signed.signature
        )


def _canonical_headers(headers: Mapping[str, str]) -> list[str]:
    """A line for each x-amz- header; values are as they came, but for outer blanks."""
    return [f"{name}:{headers[name].strip(_BLANKS)}" for name in sorted(headers) if name.startswith("x-amz-")]


def _canonical_resource(request: Request, query: Mapping[str, str], domain: str | None) -> str:
    """Bucket, slash and key as they stand in the request, and what of the query is signed, decoded.

    Raises:
        InvalidArgument: a value would read as further parameters, which the signature does not tell apart.
    """
    place = paths.locate(request, domain)
    path = f"/{place.bucket}{request.path}" if place.is_virtual else request.path
    # A bucket is signed with a slash behind it, whether or not one is sent.
    if place.bucket and not place.key and not path.endswith("/"):
        path += "/"
    items = [
        f"{name}={query[name]}" if query[name] else name for name in sorted(query.keys() & SIGNED_PARAMETERS)
    ]
    text = "&".join(items)
    if sum(one.partition("=")[0] in SIGNED_PARAMETERS for one in text.split("&")) > len(items):
        raise InvalidArgument("A query parameter contains another one.")
    return paths.byte_characters(f"{path}?{text}" if items else path)
