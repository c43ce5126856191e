"""The header by which a service tells another server of its own kind for whom it makes a call.

It holds a claim and its HMAC-SHA-256 under a secret that both servers share: JSON and tag, each in base64url, parted by
a dot. A claim is good for one request and for 30 seconds.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from kms_server.crypto.kdf import Prf
from kms_server.errors import InvalidSignatureException
from kms_server.protocol.message import Request

HEADER = "x-kms-server-forwarded"
# Seconds from its issue in which a claim is good, and by which clocks may differ.
LIFETIME, SKEW = 30.0, 5.0
_LABEL = b"kms-server forwarded call"


class Claim(NamedTuple):
    """Who calls by way of which service: `caller` describes a principal, the rest is as `Forwarded` has it."""

    caller: Mapping[str, Any]
    service: str
    region: str
    source_arn: str | None
    source_account: str | None


class Opened(NamedTuple):
    """A claim that is in order, and the random bytes by which it is known again."""

    claim: Claim
    nonce: str


def claim_key(secret: bytes) -> Prf:
    """The key of the tags, derived from the shared secret."""
    return Prf(Prf(secret).derive(_LABEL, b"", 32))


def seal(claim: Claim, request: Request, key: Prf, *, now: float) -> str:
    """The header's value for one request at real time `now` (epoch seconds)."""
    content = {**claim._asdict(), "digest": _digest(request), "issued_at": now, "nonce": os.urandom(16).hex()}
    text = _encoded(orjson.dumps(content))
    return f"{text}.{_encoded(key.digest(text.encode()))}"


def open_claim(request: Request, key: Prf, *, now: float) -> Opened:
    """The claim of a request at real time `now`. Whether it was seen before is the caller's to know.

    Raises:
        InvalidSignatureException: the claim is not of that secret, not of this request, or not of this time.
    """
    text, _, tag = request.headers[HEADER].partition(".")
    if not hmac.compare_digest(_decoded(tag), key.digest(text.encode("latin-1", "replace"))):
        raise InvalidSignatureException("The forwarded call is not signed with the secret of this server.")
    try:
        content = orjson.loads(_decoded(text))
        digest, issued_at, nonce = (content.pop(name) for name in ("digest", "issued_at", "nonce"))
        opened = Opened(Claim(**content), nonce)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise of_another_version() from None
    if not (isinstance(digest, str) and isinstance(issued_at, float) and isinstance(nonce, str)):
        raise of_another_version()
    if not hmac.compare_digest(digest.encode(), _digest(request).encode()):
        raise InvalidSignatureException("The forwarded call was signed for another request.")
    if not now - LIFETIME <= issued_at <= now + SKEW:
        raise InvalidSignatureException("The forwarded call was signed at another time: compare the clocks.")
    return opened


def of_another_version() -> InvalidSignatureException:
    """The error for a claim whose members are not the ones known here."""
    return InvalidSignatureException("The forwarded call is from another version of this service.")


def _digest(request: Request) -> str:
    """What a claim binds: method, path, operation and body."""
    bound = (request.method, request.target, request.headers.get("x-amz-target", ""))
    body = hashlib.sha256(request.body).hexdigest()
    return hashlib.sha256(orjson.dumps([*bound, body])).hexdigest()


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """The bytes of a text; nothing where it is no base64url."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
