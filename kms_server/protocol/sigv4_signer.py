"""Signing of a request with AWS Signature Version 4: what `sigv4` verifies."""

from typing import NamedTuple

from msgspec import structs

from kms_server.protocol import sigv4
from kms_server.protocol.message import Request
from kms_server.protocol.signed import ALGORITHM, Claim, Credential, Signed, signing_key, stamp_of


class Credentials(NamedTuple):
    """What a request is signed with; `session_token` goes with temporary credentials."""

    access_key_id: str
    secret: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r})"


def sign(request: Request, credentials: Credentials, *, region: str, service: str, now: float) -> Request:
    """The request with a signature of real time `now` (epoch seconds) over all its headers, which name the host."""
    stamp = stamp_of(now)
    headers = {**request.headers, "x-amz-date": stamp}
    if credentials.session_token is not None:
        headers["x-amz-security-token"] = credentials.session_token
    names = tuple(sorted(headers))
    claim = Claim(Credential(credentials.access_key_id, stamp[:8], region, service), ";".join(names))
    unsigned = structs.replace(request, headers=headers)
    key = signing_key(credentials.secret, stamp[:8], region, service)
    signature = sigv4.signature(unsigned, Signed(claim, "", stamp, None, credentials.session_token), key)
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{claim.scope}, "
        f"SignedHeaders={claim.signed_headers}, Signature={signature}"
    )
    return structs.replace(unsigned, headers={**headers, "authorization": authorization})
