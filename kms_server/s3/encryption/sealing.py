"""Sealing what belongs to an object beside its bytes: its manifest, and the details of uploaded parts.

Both are under keys that HKDF-SHA-512 (RFC 5869) makes of the object's keys, and bound to where they belong.
"""

from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kms_server.crypto import wrap
from kms_server.crypto.encryption_context import length_prefixed, parts_of
from kms_server.s3.encryption.kinds import unwrapped
from kms_server.s3.encryption.manifest import Manifest, ManifestError
from kms_server.s3.encryption.master import Master
from kms_server.s3.encryption.types import ObjectKeys
from kms_server.s3.errors import InternalError

_MANIFEST = b"kms-server manifest v1"
_DETAILS = b"kms-server part details v1"
_UNDER_OBJECT_KEY, _UNDER_MASTER = b"\x01", b"\x02"


class Clear(NamedTuple):
    """What the index says of an object in clear; `etag` is None where it is sealed, `headers` are as they are stored."""

    bucket_id: str
    object_id: str
    size: int
    etag: str | None
    headers: str

    @property
    def binding(self) -> bytes:
        """What the object's manifest is bound to."""
        texts = self.bucket_id, self.object_id, str(self.size), self.etag or "", self.headers
        return length_prefixed(_MANIFEST, *(text.encode() for text in texts))


class PartDetails(NamedTuple):
    """What an uploaded part is known by: the MD5 of its bytes where that is its ETag, and its raw checksum, if any."""

    md5: bytes = b""
    algorithm: str = ""
    checksum: bytes = b""


class PartPlace(NamedTuple):
    """Where an uploaded part belongs."""

    upload_id: str
    number: int
    blob_id: str

    @property
    def binding(self) -> bytes:
        """What the part's details are bound to."""
        texts = self.upload_id, str(self.number), self.blob_id
        return length_prefixed(_DETAILS, *(text.encode() for text in texts))


def seal_manifest(manifest: Manifest, clear: Clear, keys: ObjectKeys) -> bytes:
    """Seal a manifest under the keys of its object."""
    return _UNDER_OBJECT_KEY + wrap.wrap(_derived(keys, _MANIFEST), manifest.encode(), clear.binding)


def seal_manifest_with_master(manifest: Manifest, clear: Clear, master: Master, region: str) -> bytes:
    """Seal the manifest of an object whose customer keeps the key and did not send it."""
    return _UNDER_MASTER + master.seal(region, manifest.encode(), clear.binding).data


def open_manifest(sealed: bytes, clear: Clear, keys: ObjectKeys, master: Master, region: str) -> Manifest:
    """The manifest of an object.

    Raises:
        InternalError: it is damaged, that of another object, or the index says something else.
    """
    way, data = sealed[:1], sealed[1:]
    if way == _UNDER_OBJECT_KEY:
        opened = unwrapped(_derived(keys, _MANIFEST), data, clear.binding)
    elif way == _UNDER_MASTER:
        opened = master.open(region, data, clear.binding)
    else:
        raise InternalError
    try:
        manifest = Manifest.decode(opened)
    except ManifestError:
        raise InternalError from None
    if manifest.size != clear.size:
        raise InternalError
    return manifest


def seal_details(details: PartDetails, place: PartPlace, keys: ObjectKeys) -> bytes:
    """Seal what an uploaded part is known by."""
    encoded = length_prefixed(details.md5, details.algorithm.encode(), details.checksum)
    return wrap.wrap(_derived(keys, _DETAILS), encoded, place.binding)


def open_details(sealed: bytes, place: PartPlace, keys: ObjectKeys) -> PartDetails:
    """What an uploaded part is known by.

    Raises:
        InternalError: it is damaged, or that of another part.
    """
    md5, algorithm, checksum = parts_of(unwrapped(_derived(keys, _DETAILS), sealed, place.binding))
    return PartDetails(md5, algorithm.decode(), checksum)


def _derived(keys: ObjectKeys, label: bytes) -> bytes:
    return HKDF(SHA512(), 32, None, label).derive(keys.inner + (keys.outer or b""))
