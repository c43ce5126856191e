"""Sealing what belongs to an object beside its bytes: its manifest, and the details of uploaded parts.

Both are under keys that HKDF-SHA-512 (RFC 5869) makes of the object's keys, and bound to where they belong.
"""

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kms_server.crypto import wrap
from kms_server.crypto.encryption_context import length_prefixed
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.encryption.kinds import unwrapped
from kms_server.s3.encryption.manifest_format import (
    Checksums,
    Manifest,
    ManifestError,
    ManifestPart,
    PartDetails,
)
from kms_server.s3.encryption.types import ObjectKeys, Target
from kms_server.s3.errors import InternalError
from kms_server.storage.objects import Part, Version

__all__ = [
    "Checksums",
    "Manifest",
    "ManifestPart",
    "PartDetails",
    "is_under_master",
    "open_part",
    "opened",
    "seal_part",
    "sealed",
]

_MANIFEST = b"kms-server manifest v1"
_DETAILS = b"kms-server part details v1"
_UNDER_OBJECT_KEY, _UNDER_MASTER = b"\x01", b"\x02"


def sealed(
    encryption: Encryption, keys: ObjectKeys | None, version: Version, target: Target, manifest: Manifest
) -> bytes:
    """Seal the manifest of a version, of which size, ETag, headers and checksum must be final.

    Without `keys`, which is when a customer keeps them and did not send them, it is under the SSE-S3 master.
    """
    bound = _of_version(version)
    if keys is None:
        return _UNDER_MASTER + encryption.master.seal(target.region, manifest.encode(), bound).data
    return _UNDER_OBJECT_KEY + wrap.wrap(_derived(keys, _MANIFEST), manifest.encode(), bound)


def is_under_master(version: Version) -> bool:
    """Whether the manifest of a version opens without its keys."""
    return version.manifest[:1] == _UNDER_MASTER


def opened(encryption: Encryption, keys: ObjectKeys | None, version: Version, target: Target) -> Manifest:
    """The manifest of a version; one that is under the SSE-S3 master needs no `keys`.

    Raises:
        InternalError: it is damaged, that of another version, or the index says something else.
    """
    way, data, bound = version.manifest[:1], version.manifest[1:], _of_version(version)
    if way == _UNDER_OBJECT_KEY and keys is not None:
        encoded = unwrapped(_derived(keys, _MANIFEST), data, bound)
    elif way == _UNDER_MASTER:
        encoded = encryption.master.open(target.region, data, bound)
    else:
        raise InternalError
    try:
        manifest = Manifest.decode(encoded)
    except ManifestError:
        raise InternalError from None
    if manifest.size != version.size:
        raise InternalError
    return manifest


def seal_part(keys: ObjectKeys, upload_id: str, part: Part, details: PartDetails) -> bytes:
    """Seal what an uploaded part is known by."""
    return wrap.wrap(_derived(keys, _DETAILS), details.encode(), _of_part(upload_id, part))


def open_part(keys: ObjectKeys, upload_id: str, part: Part) -> PartDetails:
    """What an uploaded part is known by.

    Raises:
        InternalError: it is damaged, or that of another part.
    """
    encoded = unwrapped(_derived(keys, _DETAILS), part.details or b"", _of_part(upload_id, part))
    try:
        return PartDetails.decode(encoded)
    except ManifestError:
        raise InternalError from None


def _of_version(version: Version) -> bytes:
    """What the index says of a version in clear and a client is told, but for what changes with its envelope."""
    return _bound(
        _MANIFEST, version.bucket_id, version.object_id, str(version.size), version.etag or "", version.headers,
        version.checksum or "",
    )  # fmt: skip


def _of_part(upload_id: str, part: Part) -> bytes:
    return _bound(_DETAILS, upload_id, part.blob_id, str(part.number), str(part.size))


def _bound(label: bytes, *texts: str) -> bytes:
    return length_prefixed(label, *(text.encode() for text in texts))


def _derived(keys: ObjectKeys, label: bytes) -> bytes:
    return HKDF(SHA512(), 32, None, label).derive(keys.inner + (keys.outer or b""))
