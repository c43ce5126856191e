"""The parts of a SigV4 signature: what every service reads and computes alike."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from time import gmtime, strftime
from typing import NamedTuple

from msgspec import Struct

from kms_server.crypto.kdf import Prf
from kms_server.protocol.canonical import SignedHeaders

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
# Characters of an Authorization header that are remembered: strangers choose what is in it.
_MOST_REMEMBERED = 768


class MalformedCredential(Exception):
    """The credential is not `keyid/date/region/service/terminator`; its text is the argument."""


class Credential(NamedTuple):
    """Access key id and scope of a signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str = TERMINATOR

    @property
    def scope(self) -> str:
        """What the signature is good for."""
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"

    @classmethod
    def read(cls, text: str) -> "Credential":
        """The credential as it stands in a request.

        Raises:
            MalformedCredential
        """
        parts = text.split("/")
        if len(parts) != 5:
            raise MalformedCredential(text)
        return cls(*parts)


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """Who signed which headers, in which scope: what a client repeats in all its requests of a day.

    `signed_headers` is the list as it stands in the request, `names` the same one by one. A claim equals itself alone.
    """

    credential: Credential
    signed_headers: str
    names: SignedHeaders = field(init=False, repr=False)
    scope: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", SignedHeaders(self.signed_headers))
        object.__setattr__(self, "scope", self.credential.scope)

    @classmethod
    def read(cls, credential: str, signed_headers: str) -> "Claim":
        """The claim of the two texts of a request.

        Raises:
            MalformedCredential
        """
        return cls(Credential.read(credential), signed_headers)


class Signed(Struct, frozen=True):
    """The parts of a signed request; `presigned_expires` is in seconds and None for header signatures."""

    claim: Claim
    signature: str
    timestamp: str
    presigned_expires: int | None
    session_token: str | None

    @property
    def is_plain(self) -> bool:
        """Whether it stands in the header and needs no session token."""
        return self.presigned_expires is None and self.session_token is None


def read_header(text: str) -> tuple[Claim | None, str]:
    """Claim and signature of an Authorization header behind its algorithm; None and empty where they are missing.

    Raises:
        MalformedCredential
    """
    # Every client sends the signature, which differs from request to request, behind what it repeats.
    repeated, _, signature = text.rpartition("Signature=")
    if len(repeated) <= _MOST_REMEMBERED and "," not in signature:
        claim = _repeated_claim(repeated)
        if claim is not None:
            return claim, signature.rstrip()
    return _claim(text), header_parts(text).get("Signature", "")


def header_parts(text: str) -> dict[str, str]:
    """The `name=value` parts of an Authorization header."""
    pairs = (item.strip().partition("=") for item in text.split(","))
    return {name: value for name, _, value in pairs}


def _claim(text: str) -> Claim | None:
    parts = header_parts(text)
    credential, signed_headers = parts.get("Credential"), parts.get("SignedHeaders")
    return Claim.read(credential, signed_headers) if credential and signed_headers else None


@lru_cache(maxsize=4_096)
def _repeated_claim(text: str) -> Claim | None:
    """The claim of what stands before the last part; None where that part does not begin behind it."""
    return _claim(text) if text.rstrip().endswith(",") else None


def signing_key(secret: str, date: str, region: str, service: str) -> Prf:
    """SigV4 task 3: the key derived from a secret access key for one day, Region and service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, TERMINATOR):
        key = Prf(key).digest(part.encode())
    return Prf(key)


def string_to_sign(signed: Signed, canonical: bytes) -> str:
    """SigV4 task 2: what is signed of a canonical request."""
    digest = hashlib.sha256(canonical).hexdigest()
    return f"{ALGORITHM}\n{signed.timestamp}\n{signed.claim.scope}\n{digest}"


@lru_cache(maxsize=64)
def epoch(stamp: str) -> float | None:
    """Epoch seconds of `YYYYMMDDTHHMMSSZ`; None of anything else."""
    digits = stamp[:8] + stamp[9:15]
    if len(stamp) == 16 and stamp[8] + stamp[15] == "TZ" and digits.isascii() and digits.isdecimal():
        year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
        hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:])
        with suppress(ValueError):  # thirteenth months and the like
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    return None


def stamp_of(seconds: float) -> str:
    """`YYYYMMDDTHHMMSSZ` of epoch seconds."""
    return strftime("%Y%m%dT%H%M%SZ", gmtime(seconds))
