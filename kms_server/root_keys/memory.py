"""A root key in this process's memory."""

import os

from kms_server.crypto import wrap
from kms_server.crypto.kdf import Prf


class MemoryRootKey:
    """Wraps under 32 bytes held in memory; fresh ones by default, gone with the process."""

    def __init__(self, key: bytes | None = None, version: int = 1) -> None:
        self._key = os.urandom(32) if key is None else key
        self._version = version
        self._fingerprint = Prf(self._key).derive(b"kms-server root fingerprint", b"", 32).hex()

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
        return wrap.wrap(self._key, secret, binding)

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """The wrapped secret.

        Raises:
            WrapError: it does not open.
        """
        return wrap.unwrap(self._key, wrapped, binding)
