"""What an object is made of, and what a part is known by, as bytes to be sealed. The manifest, format 1:

1   format: 1
8   size in bytes
4   number of parts
2   length of a part's header
1   length of a part's checksum
n   ETag, checksum algorithm, checksum type and checksum, each behind its length in four bytes
m   for each part: blob id (16), number (4), size (8), header, checksum
"""

import struct
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kms_server.crypto.encryption_context import length_prefixed, parts_of
from kms_server.storage.objects import Part

_HEAD = struct.Struct(">BQIHBI")
_FORMAT = 1
FULL_OBJECT = "FULL_OBJECT"


class ManifestError(Exception):
    """The bytes are no manifest, or no details of a part."""


class Checksums(NamedTuple):
    """The checksum of an object as clients see it: base64, of a COMPOSITE with the number of parts; `parts` are theirs."""

    algorithm: str = ""
    type: str = ""
    value: str = ""
    parts: tuple[str, ...] = ()

    @classmethod
    def whole(cls, algorithm: str, digest: bytes) -> "Checksums":
        """The checksum of an object as one."""
        return cls(algorithm, FULL_OBJECT, b64encode(digest).decode())

    @classmethod
    def none(cls) -> "Checksums":
        """No checksum at all."""
        return cls()

    @property
    def label(self) -> str | None:
        """Algorithm and type, which are no secret; None where there is no checksum."""
        return f"{self.algorithm}/{self.type}" if self.algorithm else None

    def headers(self) -> dict[str, str]:
        """The response headers that tell it."""
        if not self.algorithm:
            return {}
        return {f"x-amz-checksum-{self.algorithm.lower()}": self.value, "x-amz-checksum-type": self.type}

    def elements(self) -> dict[str, str]:
        """The XML elements that tell it."""
        if not self.algorithm:
            return {}
        return {f"Checksum{self.algorithm}": self.value, "ChecksumType": self.type}


class ManifestPart(NamedTuple):
    """One part: its blob's id (32 hexadecimal digits), plaintext size in bytes, and header."""

    blob_id: str
    number: int
    size: int
    header: bytes


class Manifest(NamedTuple):
    """All of an object in order; `etag` is without quotes."""

    etag: str
    checksums: Checksums
    parts: tuple[ManifestPart, ...]

    @classmethod
    def of(cls, etag: str, checksums: Checksums, parts: Iterable[Part]) -> "Manifest":
        """The manifest of an object that is made of stored parts."""
        listed = [ManifestPart(part.blob_id, part.number, part.size, part.header) for part in parts]
        return cls(etag, checksums, tuple(listed))

    @property
    def size(self) -> int:
        """Size of the object in bytes."""
        return sum(part.size for part in self.parts)

    def encode(self) -> bytes:
        """The manifest as bytes. All parts must be of one suite, and all or none of them have a checksum."""
        algorithm, kind, value, encoded = self.checksums
        texts = length_prefixed(*(text.encode() for text in (self.etag, algorithm, kind, value)))
        digests = [b64decode(one) for one in encoded] or [b""] * len(self.parts)
        lengths = len(self.parts[0].header), len(digests[0])
        row = _row(*lengths)
        rows = [
            row.pack(bytes.fromhex(part.blob_id), *part[1:], digest)
            for part, digest in zip(self.parts, digests, strict=True)
        ]
        head = _HEAD.pack(_FORMAT, self.size, len(rows), *lengths, len(texts))
        return head + texts + b"".join(rows)

    @classmethod
    def decode(cls, raw: bytes) -> "Manifest":
        """The manifest that `encode` wrote.

        Raises:
            ManifestError: it did not write this.
        """
        try:
            form, size, count, *lengths, texts = _HEAD.unpack_from(raw)
            start = _HEAD.size + texts
            etag, algorithm, kind, value = (part.decode() for part in parts_of(raw[_HEAD.size : start]))
            rows = list(_row(*lengths).iter_unpack(memoryview(raw)[start:]))
        except (struct.error, ValueError):
            raise ManifestError from None
        digests = tuple([b64encode(row[4]).decode() for row in rows]) if lengths[1] else ()
        parts = tuple([ManifestPart(row[0].hex(), *row[1:4]) for row in rows])
        made = cls(etag, Checksums(algorithm, kind, value, digests), parts)
        if form != _FORMAT or len(rows) != count or made.size != size:
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
