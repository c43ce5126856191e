"""Signing of an S3 request with AWS Signature Version 4: what `verification` verifies."""

import hashlib

from msgspec import structs

from kms_server.protocol.message import Request
from kms_server.protocol.signed import (
    ALGORITHM,
    Claim,
    Credential,
    Signed,
    signing_key,
    stamp_of,
    string_to_sign,
)
from kms_server.protocol.sigv4_signer import Credentials
from kms_server.s3.wire.verification import HASH_HEADER, canonical_request


def sign(request: Request, credentials: Credentials, *, region: str, now: float) -> Request:
    """The request with a signature of real time `now` (epoch seconds) over its body and all its headers, which name the host."""
    stamp = stamp_of(now)
    headers = {**request.headers, "x-amz-date": stamp, HASH_HEADER: hashlib.sha256(request.body).hexdigest()}
    if credentials.session_token is not None:
        headers["x-amz-security-token"] = credentials.session_token
    names = tuple(sorted(headers))
    claim = Claim(Credential(credentials.access_key_id, stamp[:8], region, "s3"), ";".join(names))
    unsigned = structs.replace(request, headers=headers)
    signed = Signed(claim, "", stamp, None, credentials.session_token)
    key = signing_key(credentials.secret, stamp[:8], region, "s3")
    text = string_to_sign(signed, canonical_request(unsigned, signed).encode("latin-1"))
    signature = key.digest(text.encode("latin-1")).hex()
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{claim.scope}, "
        f"SignedHeaders={claim.signed_headers}, Signature={signature}"
    )
    return structs.replace(unsigned, headers={**headers, "authorization": authorization})
