"""A root key in this process's memory."""

import os
from typing import NoReturn

from kms_server.crypto import wrap
from kms_server.crypto.kdf import Prf

_FINGERPRINT = b"kms-server root fingerprint"


class DerivingRootKey:
    """Wraps each secret under a key of its own, which a pseudorandom function under the root key derives."""

    def __init__(self, prf: Prf, version: int) -> None:
        self._prf = prf
        self._version = version
        self._fingerprint = prf.derive(_FINGERPRINT, b"", 32).hex()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a root key stays in its process")

    @property
    def version(self) -> int:
        """Which root key this is."""
        return self._version

    @property
    def fingerprint(self) -> str:
        """A one-way derivation of the key."""
        return self._fingerprint

    def wrap(self, secret: bytes, binding: bytes) -> bytes:
        """Wrap a secret."""
        return wrap.wrap_under(self._prf, secret, binding)

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """The wrapped secret.

        Raises:
            WrapError: it does not open.
        """
        return wrap.unwrap_under(self._prf, wrapped, binding)


class MemoryRootKey(DerivingRootKey):
    """Wraps under 32 bytes held in memory; fresh ones by default, gone with the process."""

    def __init__(self, key: bytes | None = None, version: int = 1) -> None:
        super().__init__(Prf(os.urandom(32) if key is None else key), version)
