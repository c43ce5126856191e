"""The checksums of S3, of a body, and of an object from those of its parts.

AWS "Checking object integrity in Amazon S3".
"""

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import NamedTuple, Protocol

import xxhash

from kms_server.s3.errors import InvalidRequest

COMPOSITE = "COMPOSITE"
FULL_OBJECT = "FULL_OBJECT"
_PREFIX = "x-amz-checksum-"


class Hasher(Protocol):
    """A checksum that is being made."""

    def update(self, data: bytes, /) -> object:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """The checksum of all bytes so far."""


class Checksum(NamedTuple):
    """One algorithm; `size` is that of its digest in bytes.

    `types` are the kinds of checksum that a multipart object can have under it, the default first. `combined` makes the
    CRC of two blocks from those of each and the length of the second.
    """

    name: str
    size: int
    hasher: Callable[[], Hasher]
    types: tuple[str, ...]
    combined: Callable[[int, int, int], int] | None = None

    @property
    def header(self) -> str:
        """The header, and the trailer, that a checksum stands in."""
        return _PREFIX + self.name.lower()


class _Crc:
    """A CRC over bytes that arrive in pieces; `step` continues one from its value so far."""

    def __init__(self, step: Callable[[bytes, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        """The CRC of all bytes so far, big-endian."""
        return self._value.to_bytes(self._size)


def _library() -> ModuleType:
    """The library of fast CRCs, which takes longer to load than a command to run."""
    return import_module("awscrt.checksums")


def _crc32c() -> Hasher:
    return _Crc(_library().crc32c, 4)


def _crc64nvme() -> Hasher:
    return _Crc(_library().crc64nvme, 8)


def _combine_crc32(first: int, second: int, length: int) -> int:
    return int(_library().combine_crc32(first, second, length))


def _combine_crc32c(first: int, second: int, length: int) -> int:
    return int(_library().combine_crc32c(first, second, length))


def _combine_crc64nvme(first: int, second: int, length: int) -> int:
    return int(_library().combine_crc64nvme(first, second, length))


_BOTH = (COMPOSITE, FULL_OBJECT)
# "MD5" serves Content-MD5 and ETags too.
CHECKSUMS = {
    one.name: one
    for one in (
        Checksum("CRC32", 4, partial(_Crc, zlib.crc32, 4), _BOTH, _combine_crc32),
        Checksum("CRC32C", 4, _crc32c, _BOTH, _combine_crc32c),
        Checksum("CRC64NVME", 8, _crc64nvme, (FULL_OBJECT,), _combine_crc64nvme),
        Checksum("SHA1", 20, partial(hashlib.sha1, usedforsecurity=False), (COMPOSITE,)),
        Checksum("SHA256", 32, hashlib.sha256, (COMPOSITE,)),
        Checksum("SHA512", 64, hashlib.sha512, (COMPOSITE,)),
        Checksum("MD5", 16, partial(hashlib.md5, usedforsecurity=False), (COMPOSITE,)),
        Checksum("XXHASH64", 8, xxhash.xxh64, (COMPOSITE,)),
        Checksum("XXHASH3", 8, xxhash.xxh3_64, (COMPOSITE,)),
        Checksum("XXHASH128", 16, xxhash.xxh3_128, (COMPOSITE,)),
    )
}
BY_HEADER = {one.header: one for one in CHECKSUMS.values()}


def named(name: str) -> Checksum:
    """The algorithm of a value of x-amz-checksum-algorithm.

    Raises:
        InvalidRequest
    """
    found = CHECKSUMS.get(name.upper())
    if found is None:
        raise InvalidRequest(
            f"Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(CHECKSUMS)}]"
        )
    return found


def type_of(checksum: Checksum, asked: str | None) -> str:
    """The kind of checksum of a multipart object; `asked` is the value of x-amz-checksum-type.

    Raises:
        InvalidRequest: the algorithm has no such kind.
    """
    if asked is None:
        return checksum.types[0]
    if asked not in _BOTH:
        raise InvalidRequest("Value for x-amz-checksum-type header is invalid.")
    if asked not in checksum.types:
        raise InvalidRequest(
            f"The {asked} checksum type cannot be used with the {checksum.name.lower()} checksum algorithm."
        )
    return asked


def composite(checksum: Checksum, digests: Iterable[bytes]) -> str:
    """The checksum of the parts' checksums, as S3 writes it: base64, a hyphen and the number of parts."""
    hasher = checksum.hasher()
    count = 0
    for count, digest in enumerate(digests, 1):  # noqa: B007 - the last count is the number
        hasher.update(digest)
    return f"{b64encode(hasher.digest()).decode()}-{count}"


def full_object(checksum: Checksum, parts: Iterable[tuple[bytes, int]]) -> bytes:
    """The CRC of a whole object from those of its parts and their lengths in bytes."""
    if checksum.combined is None:
        raise ValueError(f"{checksum.name} cannot be combined")
    value = 0
    for digest, length in parts:
        value = checksum.combined(value, int.from_bytes(digest), length)
    return value.to_bytes(checksum.size)
