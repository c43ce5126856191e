"""Root keys in memory."""

from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.ring import RootKeys


def root_of(key: bytes | None = None) -> RootKeys:
    """A root key of one version over 32 bytes, or over fresh ones."""
    return RootKeys([MemoryRootKey(key)], 1)
