"""HMAC-SHA-256 under a key used often, and key derivation: NIST SP 800-108r1 section 4.1, counter mode."""

import hashlib
from copy import copy

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_512_BITS = (512).to_bytes(4)
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class Prf:
    """HMAC-SHA-256 (RFC 2104) with the key's two blocks hashed once.

    The library's one-shot HMAC gives up the interpreter's lock at every call, which costs more than the hash.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def digest(self, message: bytes) -> bytes:
        """The 32-byte tag of a message."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def behind(self, beginning: bytes) -> "Prf":
        """The tags of messages that begin so, from what stands behind that; it is hashed once."""
        rest = copy(self)
        rest._inner = inner = self._inner.copy()  # noqa: SLF001 - its own class
        inner.update(beginning)
        return rest

    def derive(self, label: bytes, context: bytes, length: int) -> bytes:
        """Derive `length` bytes: K(i) = HMAC([i] || label || 0x00 || context || [L]), 32-bit counter and L (bits)."""
        fixed = b"%b\0%b%b" % (label, context, (length * 8).to_bytes(4))
        derived = self.digest(b"\0\0\0\1" + fixed)
        counter = 1
        while len(derived) < length:
            counter += 1
            derived += self.digest(counter.to_bytes(4) + fixed)
        return derived[:length]


class TwoKeys:
    """`Prf.derive` of twice 32 bytes, for contexts that begin alike."""

    __slots__ = ("_first", "_second")

    def __init__(self, prf: Prf, label: bytes, beginning: bytes) -> None:
        self._first, self._second = [
            prf.behind(b"%b%b\0%b" % (counter.to_bytes(4), label, beginning)) for counter in (1, 2)
        ]

    def derive(self, rest: bytes) -> tuple[bytes, bytes]:
        """Both, of a context that goes on with `rest`."""
        rest += _512_BITS
        return self._first.digest(rest), self._second.digest(rest)
