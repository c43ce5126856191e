"""What an object is made of, and what a part is known by, as bytes to be sealed. The manifest, format 1:

1   format: 1
8   size in bytes
4   number of parts
2   length of a part's header
1   length of a part's checksum
n   ETag, checksum algorithm, checksum type, checksum, each behind its length in four bytes
m   for each part: blob id (16), number (4), size (8), header, checksum
"""

import struct
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple

from kms_server.crypto.encryption_context import length_prefixed, parts_of

_HEAD = struct.Struct(">BQIHBI")
_FORMAT = 1
FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"


class ManifestError(Exception):
    """The bytes are no manifest, or no details of a part."""


class Checksums(NamedTuple):
    """The checksum of an object, as x-amz-checksum-... tells it: base64, and of a COMPOSITE the number of parts."""

    algorithm: str
    type: str
    value: str

    @classmethod
    def whole(cls, algorithm: str, digest: bytes) -> "Checksums":
        """The checksum of an object as one."""
        return cls(algorithm, FULL_OBJECT, b64encode(digest).decode())

    @classmethod
    def composite(cls, algorithm: str, digest: bytes, parts: int) -> "Checksums":
        """The checksum of the checksums of so many parts."""
        return cls(algorithm, COMPOSITE, f"{b64encode(digest).decode()}-{parts}")

    @property
    def label(self) -> str:
        """Algorithm and type, which are no secret."""
        return f"{self.algorithm}/{self.type}"

    def headers(self) -> dict[str, str]:
        """The response headers that tell it."""
        return {f"x-amz-checksum-{self.algorithm.lower()}": self.value, "x-amz-checksum-type": self.type}


class ManifestPart(NamedTuple):
    """One part: its blob's id (32 hexadecimal digits), plaintext size in bytes, header, and raw checksum, if any."""

    blob_id: str
    number: int
    size: int
    header: bytes
    checksum: bytes = b""


class Manifest(NamedTuple):
    """All of an object in order; `etag` is without quotes."""

    etag: str
    checksums: Checksums | None
    parts: tuple[ManifestPart, ...]

    @property
    def size(self) -> int:
        """Size of the object in bytes."""
        return sum(part.size for part in self.parts)

    def encode(self) -> bytes:
        """The manifest as bytes. All parts must be of one suite, and all or none of them have a checksum."""
        first = self.parts[0]
        texts = length_prefixed(
            self.etag.encode(), *(text.encode() for text in self.checksums or ("", "", ""))
        )
        row = _row(len(first.header), len(first.checksum))
        head = _HEAD.pack(
            _FORMAT, self.size, len(self.parts), len(first.header), len(first.checksum), len(texts)
        )
        return head + texts + b"".join([
            row.pack(bytes.fromhex(part.blob_id), *part[1:]) for part in self.parts
        ])  # fmt: skip

    @classmethod
    def decode(cls, raw: bytes) -> "Manifest":
        """The manifest that `encode` wrote.

        Raises:
            ManifestError: it did not write this.
        """
        try:
            form, size, count, header, checksum, length = _HEAD.unpack_from(raw)
            at, row = _HEAD.size + length, _row(header, checksum)
            etag, algorithm, kind, value = (part.decode() for part in parts_of(raw[_HEAD.size : at]))
            parts = tuple(
                [ManifestPart(blob.hex(), *rest) for blob, *rest in row.iter_unpack(memoryview(raw)[at:])]
            )
        except (struct.error, ValueError):
            raise ManifestError from None
        made = cls(etag, Checksums(algorithm, kind, value) if algorithm else None, parts)
        if form != _FORMAT or len(parts) != count or made.size != size:
            raise ManifestError
        return made


class PartDetails(NamedTuple):
    """What an uploaded part is known by: its ETag without quotes, and its raw checksums by algorithm."""

    etag: str
    checksums: Mapping[str, bytes]

    def encode(self) -> bytes:
        """The details as bytes."""
        pairs = [part for name, digest in self.checksums.items() for part in (name.encode(), digest)]
        return length_prefixed(self.etag.encode(), *pairs)

    @classmethod
    def decode(cls, raw: bytes) -> "PartDetails":
        """The details that `encode` wrote.

        Raises:
            ManifestError: it did not write this.
        """
        try:
            etag, *pairs = parts_of(raw)
            names = [name.decode() for name in pairs[::2]]
            return cls(etag.decode(), dict(zip(names, pairs[1::2], strict=True)))
        except ValueError:
            raise ManifestError from None


def _row(header: int, checksum: int) -> struct.Struct:
    return struct.Struct(f">16sIQ{header}s{checksum}s")
