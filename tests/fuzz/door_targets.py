"""What reads bytes from the network before anybody is known: HTTP, addresses, older signatures, claims, web identities."""

import json
from contextlib import suppress
from dataclasses import asdict
from ipaddress import ip_network

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from kms_server.config import Limits
from kms_server.errors import ServiceError
from kms_server.protocol import forwarding, web_identity
from kms_server.protocol.message import Request
from kms_server.s3 import metadata, ranges
from kms_server.s3.encryption import customer_headers
from kms_server.s3.wire import signature_v2
from kms_server.server.entrance import Entrance, Origin, is_within
from kms_server.server.http_reader import HttpReader

_PROXIED = Entrance((ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
_LIMITS = Limits(max_body_bytes=2_000, max_header_bytes=1_000, max_target_bytes=300)
_CLAIM_KEY = forwarding.claim_key(bytes(32))
_ISSUER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
_JWK = jwt.algorithms.OKPAlgorithm.to_jwk(_ISSUER_KEY.public_key(), as_dict=True)
_JWKS = json.dumps({"keys": [{**_JWK, "kid": "k"}]})
_NOW = 1_400_000_000.0


def _claimed(request: Request) -> bool:
    return request.method == "PUT"


def _taken(pieces: list[bytes]) -> tuple[list[object], int | None]:
    """The requests that a connection brings, and how it ends."""
    reader = HttpReader(_LIMITS, "10.0.0.1", None, claims=_claimed, proxied=_PROXIED)
    found: list[object] = []
    for piece in pieces:
        reader.receive(piece)
        while (incoming := reader.take()) is not None:
            found.append((structs.astuple(incoming.request)[:5], incoming.keep_alive))
    return found, reader.refusal


def http(data: bytes) -> None:
    """Requests on a connection, which mean the same however they arrive."""
    whole, refusal = _taken([data])
    single, other_refusal = _taken([data[place : place + 1] for place in range(len(data))])
    # Of two things that are wrong either may be found first, but what was taken before is the same.
    assert (refusal is None) == (other_refusal is None), (refusal, other_refusal)
    assert whole == single


def headers(data: bytes) -> None:
    """Headers with a form of their own: addresses, ranges, tags, customers' keys."""
    name, _, rest = data.decode("latin-1").partition("\0")
    value, _, other = rest.partition("\0")
    _PROXIED.origin(Origin(name, None), {"x-forwarded-for": value, "x-forwarded-proto": other})
    is_within(name, _PROXIED.proxies)
    for step in (
        lambda: ranges.wanted(value, len(data)), lambda: ranges.of_copy(value, len(data)), lambda: metadata.tags_of_header(value),
        lambda: customer_headers.read(
            {f"{customer_headers.CUSTOMER}{member}": one for member, one in zip(("algorithm", "key", "key-md5"), (name, value, other), strict=True)},
            customer_headers.CUSTOMER, secure=True,
        ),
    ):  # fmt: skip
        with suppress(ServiceError):
            step()


def presigned_v2(data: bytes) -> None:
    """Signatures of version 2 in a query."""
    target, _, host = data.decode("latin-1").partition("\0")
    found = signature_v2.parse(Request("GET", f"/b/k?{target}", {"host": host}, b"", ""), "s3.test")
    if found is not None:
        signature_v2.verify(found, "secret", now=_NOW)


def claim(data: bytes) -> None:
    """Calls that another server forwards: the claim as it comes, and what is in one that is rightly signed."""
    text = data.decode("latin-1")
    signed = forwarding._encoded(data)
    tagged = f"{signed}.{forwarding._encoded(_CLAIM_KEY.digest(signed.encode()))}"
    for value in (text, tagged):
        with suppress(ServiceError):
            request = Request("POST", "/", {forwarding.HEADER: value}, b"", "")
            forwarding.open_claim(request, _CLAIM_KEY, now=_NOW)


def identity(data: bytes) -> None:
    """Tokens of a provider: as they come, with a body of any kind that is rightly signed, and with keys of any kind."""
    with suppress(ServiceError):
        web_identity.verify(data.decode("latin-1"), "issuer.test", ("client",), _JWKS, _NOW)
    signed = jwt.PyJWS().encode(data, _ISSUER_KEY, algorithm="EdDSA", headers={"kid": "k"})
    with suppress(ServiceError):
        found = web_identity.verify(signed, "issuer.test", ("client",), _JWKS, _NOW)
        # It goes into policies' conditions and into the audit record.
        orjson.dumps(asdict(found))


TARGETS = (http, headers, presigned_v2, claim, identity)
EXAMPLES = {
    "http": [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Forwarded-For: 1.2.3.4, 10.0.0.2\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    ],
    "headers": [b"AES256\0bytes=0-9\0https", b"10.0.0.1\0a=b&c=d\0http", b"\0 1.2.3.4, ::ffff:10.0.0.1\0https,http"],
    "presigned_v2": [b"AWSAccessKeyId=a&Expires=1500000000&Signature=c2ln\0b.s3.test"],
    "claim": [
        json.dumps({
            "caller": {}, "service": "s3", "region": "us-east-1", "source_arn": None, "source_account": None,
            "digest": "0" * 64, "issued_at": _NOW, "nonce": "0" * 32,
        }).encode(),
    ],
    "identity": [
        json.dumps({"iss": "https://issuer.test", "aud": ["client"], "azp": "client", "sub": "subject", "exp": _NOW + 1, "iat": _NOW}).encode(),
    ],
}  # fmt: skip
