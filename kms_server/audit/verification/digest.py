"""One delivered digest: what it says, and whether a key of this server has signed exactly that."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kms_server.audit.signing import PublicKey
from kms_server.audit.trail.destination import Delivered
from kms_server.audit.verification.delivered_files import Damaged, Name, inflated
from kms_server.clock import iso_seconds

_HASH, _SIGNATURE = "SHA-256", "SHA256withRSA"
_HEX = re.compile("[0-9a-f]{512}")
# A digest may be signed a while after its end, and by the key of the moment.
_SLACK = 7_200.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A log file that a digest lists."""

    bucket: str
    key: str
    hash: str


@dataclass(frozen=True, slots=True)
class Previous:
    """What a digest says of the one before."""

    bucket: str
    key: str
    hash: str
    signature: str


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that is rightly signed; times are epoch seconds, `previous` is None where a chain begins."""

    name: Name
    starts_at: float
    ends_at: float
    hash: str
    signature: str
    previous: Previous | None
    files: tuple[Listed, ...]


def read(name: Name, file: Delivered, find: Callable[[str], PublicKey | None]) -> Digest:
    """The digest in a delivered file; `find` gives the keys of this server by fingerprint.

    Raises:
        Damaged: it is none, or not rightly signed.
    """
    content = inflated(file.body)
    signature = file.metadata.get("signature", "")
    _require(file.metadata.get("signature-algorithm") == _SIGNATURE, "its signature is of an unknown kind")
    _require(_HEX.fullmatch(signature) is not None, "its signature is not 512 hexadecimal digits")
    try:
        digest = _parsed(name, content, signature)
        fingerprint = json.loads(content)["digestPublicKeyFingerprint"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Damaged(f"it is not a digest: {error}") from None
    _require(isinstance(fingerprint, str), "it is not a digest: its fingerprint is no text")
    key = find(fingerprint)
    if key is None:
        raise Damaged(f"the key {fingerprint}, which has signed it, is not this server's")
    before = digest.previous.signature if digest.previous else "null"
    place = f"{name.bucket}/{name.key}"
    signed = "\n".join([iso_seconds(digest.ends_at), place, digest.hash, before])
    _require(key.verifies(bytes.fromhex(signature), signed.encode()), "its signature is not right")
    _require(
        key.starts_at - _SLACK <= digest.ends_at <= key.ends_at + _SLACK, "its key was not valid at its time"
    )
    return digest


def _parsed(name: Name, content: bytes, signature: str) -> Digest:
    told = json.loads(content)
    here = (told["digestS3Bucket"], told["digestS3Object"]) == (name.bucket, name.key)
    _require(here, "it was moved from where it was delivered to")
    _require(told["digestSignatureAlgorithm"] == _SIGNATURE, "it names another kind of signature")
    starts_at, ends_at = _epoch(told["digestStartTime"]), _epoch(told["digestEndTime"])
    _require(
        f"{datetime.fromtimestamp(ends_at, UTC):%Y%m%dT%H%M%SZ}" == name.stamp, "its name has another time"
    )
    for one in told["logFiles"]:
        _require(one["hashAlgorithm"] == _HASH, "it names another kind of hash")
    files = tuple(Listed(one["s3Bucket"], one["s3Object"], one["hashValue"]) for one in told["logFiles"])
    return Digest(
        name, starts_at, ends_at, hashlib.sha256(content).hexdigest(), signature, _previous(told), files
    )


def _previous(told: dict[str, Any]) -> Previous | None:
    names = ("S3Bucket", "S3Object", "HashValue", "Signature", "HashAlgorithm")
    *said, algorithm = (told[f"previousDigest{name}"] for name in names)
    if all(value is None for value in (*said, algorithm)):
        return None
    _require(all(isinstance(value, str) for value in said), "it tells only a part of the one before it")
    _require(algorithm == _HASH, "it names another kind of hash")
    return Previous(*said)


def _epoch(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - a condition
    if not holds:
        raise Damaged(otherwise)
