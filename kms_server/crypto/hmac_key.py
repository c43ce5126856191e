"""HMAC (RFC 2104) as a KMS key."""

import hmac
import os
from dataclasses import dataclass

from kms_server.crypto.capabilities import MaterialError

_LONGEST = 128


@dataclass(frozen=True, slots=True)
class HmacType:
    """Keys for HMAC over one hash of the standard library; fresh ones are as long as its digest."""

    hash_name: str
    digest_bytes: int

    def generate(self) -> bytes:
        """Fresh raw material."""
        return os.urandom(self.digest_bytes)

    def checked(self, material: bytes) -> bytes:
        """Raw material from outside, at least as long as the digest and up to 1,024 bits.

        Raises:
            MaterialError: its length.
        """
        if not self.digest_bytes <= len(material) <= _LONGEST:
            raise MaterialError(f"{len(material)} bytes")
        return material

    def open(self, material: bytes, key_id: str, material_id: str) -> "HmacKey":  # noqa: ARG002 - bound to no id
        """A key ready for use."""
        return HmacKey(material, self.hash_name)


class HmacKey:
    """An HMAC key in use."""

    def __init__(self, material: bytes, hash_name: str) -> None:
        self._material = material
        self._hash_name = hash_name

    def mac(self, message: bytes) -> bytes:
        """The whole tag of a message."""
        return hmac.digest(self._material, message, self._hash_name)
