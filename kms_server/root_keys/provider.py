"""What a root key can do, wherever it lives."""

from typing import Protocol


class RootKey(Protocol):
    """Wraps secrets; the key itself never leaves its home."""

    @property
    def version(self) -> int:
        """Which root key this is; part of every binding."""

    @property
    def fingerprint(self) -> str:
        """Identifies the root key without telling anything about it (64 hexadecimal digits)."""

    def wrap(self, secret: bytes, binding: bytes) -> bytes:
        """Wrap a secret, bound to what it belongs to."""

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """The wrapped secret.

        Raises:
            WrapError: damaged, under another root key, or bound to something else.
        """
