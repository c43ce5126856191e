"""Sealing what belongs to an object beside its bytes: its manifest, and the details of uploaded parts.

Both are under keys that HKDF-SHA-512 (RFC 5869) makes of the object's keys, and bound to where they belong.
"""

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kms_server.crypto import wrap
from kms_server.crypto.encryption_context import length_prefixed
from kms_server.s3.encryption.kinds import unwrapped
from kms_server.s3.encryption.manifest import Manifest, ManifestError, PartDetails
from kms_server.s3.encryption.master import Master
from kms_server.s3.encryption.types import ObjectKeys
from kms_server.s3.errors import InternalError
from kms_server.storage.objects import Part, Version

_MANIFEST = b"kms-server manifest v1"
_DETAILS = b"kms-server part details v1"
_UNDER_OBJECT_KEY, _UNDER_MASTER = b"\x01", b"\x02"


def seal_manifest(manifest: Manifest, version: Version, keys: ObjectKeys) -> bytes:
    """Seal the manifest of a version under its keys; size, ETag, headers and checksum of the version must be final."""
    return _UNDER_OBJECT_KEY + wrap.wrap(_derived(keys, _MANIFEST), manifest.encode(), _of_version(version))


def seal_manifest_with_master(manifest: Manifest, version: Version, master: Master, region: str) -> bytes:
    """Seal the manifest of a version whose customer keeps the key and did not send it."""
    return _UNDER_MASTER + master.seal(region, manifest.encode(), _of_version(version)).data


def open_manifest(version: Version, keys: ObjectKeys, master: Master, region: str) -> Manifest:
    """The manifest of a version.

    Raises:
        InternalError: it is damaged, that of another version, or the index says something else.
    """
    way, data = version.manifest[:1], version.manifest[1:]
    if way == _UNDER_OBJECT_KEY:
        opened = unwrapped(_derived(keys, _MANIFEST), data, _of_version(version))
    elif way == _UNDER_MASTER:
        opened = master.open(region, data, _of_version(version))
    else:
        raise InternalError
    try:
        manifest = Manifest.decode(opened)
    except ManifestError:
        raise InternalError from None
    if manifest.size != version.size:
        raise InternalError
    return manifest


def seal_details(details: PartDetails, upload_id: str, part: Part, keys: ObjectKeys) -> bytes:
    """Seal what an uploaded part is known by."""
    return wrap.wrap(_derived(keys, _DETAILS), details.encode(), _of_part(upload_id, part))


def open_details(upload_id: str, part: Part, keys: ObjectKeys) -> PartDetails:
    """What an uploaded part is known by.

    Raises:
        InternalError: it is damaged, or that of another part.
    """
    opened = unwrapped(_derived(keys, _DETAILS), part.details or b"", _of_part(upload_id, part))
    try:
        return PartDetails.decode(opened)
    except ManifestError:
        raise InternalError from None


def _of_version(version: Version) -> bytes:
    """What the index says of a version in clear and a client is told, but for what changes with its envelope."""
    return _bound(
        _MANIFEST, version.bucket_id, version.object_id, str(version.size), version.etag or "", version.headers,
        version.checksum or "",
    )  # fmt: skip


def _of_part(upload_id: str, part: Part) -> bytes:
    return _bound(_DETAILS, upload_id, part.blob_id, str(part.number), str(part.size), part.etag or "")


def _bound(label: bytes, *texts: str) -> bytes:
    return length_prefixed(label, *(text.encode() for text in texts))


def _derived(keys: ObjectKeys, label: bytes) -> bytes:
    return HKDF(SHA512(), 32, None, label).derive(keys.inner + (keys.outer or b""))
