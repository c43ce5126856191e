"""The versions of the root key as one: the current one wraps, and each opens what it has wrapped.

    1   format: 2
    4   version of the root key, big-endian
    n   what that root key makes of the secret, bound to what it belongs to and to the version

The database knows what is wrapped under which version by the first five bytes.
"""

import threading
from collections.abc import Callable, Iterable

from kms_server.crypto.encryption_context import length_prefixed
from kms_server.crypto.wrap import WrapError
from kms_server.root_keys.provider import RootKey

_FORMAT = b"\x02"
_PREFIX = 5


def prefix_of(version: int) -> bytes:
    """What everything begins with that is wrapped under a version of the root key."""
    return _FORMAT + version.to_bytes(4)


class RootKeys:
    """What a process holds of the root key; threads may wrap and unwrap while versions come and go.

    `missing` is told of a version that is not held, such as one that another process has just begun to use, and may hold it.
    """

    def __init__(
        self, held: Iterable[RootKey], current: int, missing: Callable[[int], None] = lambda _: None
    ) -> None:
        self._held = {key.version: key for key in held}
        self._current = self._held[current]
        self._missing = missing
        self._changing = threading.Lock()

    @property
    def current(self) -> int:
        """The version that wraps."""
        return self._current.version

    @property
    def versions(self) -> frozenset[int]:
        """The versions that are held."""
        return frozenset(self._held)

    def fingerprint(self, version: int) -> str | None:
        """The fingerprint of a version; None when it is not held."""
        key = self._held.get(version)
        return None if key is None else key.fingerprint

    def hold(self, key: RootKey) -> None:
        """Open what is wrapped under one more version."""
        with self._changing:
            self._held = self._held | {key.version: key}

    def use(self, version: int) -> None:
        """Wrap under a version that is held from now on."""
        self._current = self._held[version]

    def drop(self, version: int) -> None:
        """Forget a version that does not wrap any more."""
        with self._changing:
            self._held = {number: key for number, key in self._held.items() if number != version}

    def wrap(self, secret: bytes, binding: bytes) -> bytes:
        """Wrap a secret under the current version, bound to what it belongs to."""
        key = self._current
        return prefix_of(key.version) + key.wrap(secret, _bound(binding, key.version))

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """The wrapped secret.

        Raises:
            WrapError: damaged, under a version that is not held, or bound to something else.
        """
        version = int.from_bytes(wrapped[1:_PREFIX])
        if version not in self._held:
            self._missing(version)
        return self.unwrap_held(wrapped, binding)

    def unwrap_held(self, wrapped: bytes, binding: bytes) -> bytes:
        """The same, under the versions that are held now.

        Raises:
            WrapError: as there.
        """
        version = int.from_bytes(wrapped[1:_PREFIX])
        key = self._held.get(version)
        if key is None or wrapped[:_PREFIX] != prefix_of(version):
            raise WrapError
        return key.unwrap(wrapped[_PREFIX:], _bound(binding, version))


def _bound(binding: bytes, version: int) -> bytes:
    return binding + length_prefixed(str(version).encode())
