"""Digest files: what is in them and what is signed (CloudTrail "Digest file structure")."""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from kms_server.audit.signing import SigningKey
from kms_server.audit.trail import names
from kms_server.clock import iso_seconds
from kms_server.storage.trail_digests import TrailDigest
from kms_server.storage.trail_files import TrailFile
from kms_server.storage.trails import Trail

SIGNATURE, SIGNATURE_ALGORITHM = "signature", "signature-algorithm"
SIGNED_WITH = "SHA256withRSA"
_HASHED_WITH = "SHA-256"
_PREVIOUS = ("S3Bucket", "S3Object", "HashValue", "HashAlgorithm", "Signature")


def digest(
    trail: Trail, region: str, window: tuple[float, float], files: Sequence[TrailFile], previous: TrailDigest | None,
    key: SigningKey, *, final: bool,
) -> TrailDigest:  # fmt: skip
    """The digest of delivered files, with its signature; `previous` is the one before it in its chain.

    `window` is its begin and its end in epoch seconds, of whole seconds.
    """
    start, end = window
    place = names.digest_key(trail, region, end)
    fingerprint = key.public.fingerprint
    content = {
        "awsAccountId": trail.account,
        "digestStartTime": iso_seconds(start),
        "digestEndTime": iso_seconds(end),
        "digestS3Bucket": trail.bucket,
        "digestS3Object": place,
        "digestPublicKeyFingerprint": fingerprint,
        "digestSignatureAlgorithm": SIGNED_WITH,
        "newestEventTime": _time([file.newest_event for file in files], newest=True),
        "oldestEventTime": _time([file.oldest_event for file in files], newest=False),
        **_previous(previous),
        "logFiles": [_listed(file) for file in files],
    }
    body = orjson.dumps(content)
    digested = hashlib.sha256(body).hexdigest()
    signed = string_to_sign(
        end, f"{trail.bucket}/{place}", digested, previous.signature if previous else None
    )
    return TrailDigest(
        trail.trail_id, region, start, end, trail.bucket, place, body, digested, key.sign(signed).hex(), fingerprint,
        final,
    )  # fmt: skip


def string_to_sign(end: float, place: str, digested: str, previous_signature: str | None) -> bytes:
    """What the signature of a digest is over; `place` is bucket/key, `digested` the hash of the body in hexadecimal."""
    return "\n".join([iso_seconds(end), place, digested, previous_signature or "null"]).encode()


def metadata(made: TrailDigest) -> dict[str, str]:
    """The metadata with which a digest is delivered."""
    return {SIGNATURE: made.signature, SIGNATURE_ALGORITHM: SIGNED_WITH}


def _previous(previous: TrailDigest | None) -> dict[str, str | None]:
    """The members about the digest before; null in the first of a chain."""
    if previous is None:
        return dict.fromkeys(f"previousDigest{name}" for name in _PREVIOUS)
    told = previous.bucket, previous.object_key, previous.hash, _HASHED_WITH, previous.signature
    return {f"previousDigest{name}": value for name, value in zip(_PREVIOUS, told, strict=True)}


def _listed(file: TrailFile) -> dict[str, Any]:
    return {
        "s3Bucket": file.bucket,
        "s3Object": file.object_key,
        "hashValue": file.hash,
        "hashAlgorithm": _HASHED_WITH,
        "newestEventTime": _time([file.newest_event], newest=True),
        "oldestEventTime": _time([file.oldest_event], newest=False),
    }


def _time(moments: Sequence[float | None], *, newest: bool) -> str | None:
    known = [moment for moment in moments if moment is not None]
    if not known:
        return None
    return iso_seconds(max(known) if newest else min(known))
