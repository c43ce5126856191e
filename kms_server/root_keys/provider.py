"""What a root key can do, wherever it lives, and how a server comes by it."""

from pathlib import Path
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


class RootKeySource(Protocol):
    """Where a root key is, as `--root-key` names it.

    Whatever an operator has to give is asked for once: the processes that a server forks afterwards load without asking.
    """

    @property
    def place(self) -> str:
        """What messages call the place."""

    @property
    def remedy(self) -> str:
        """What an operator can do who finds another root key there than the database was made with."""

    @property
    def path(self) -> Path | None:
        """The file that a first start makes, if it makes one."""

    def exists(self) -> bool:
        """Whether there is a root key."""

    def check(self) -> None:
        """Load the root key, or see that a first start can make one; nothing is made.

        Raises:
            OperatorError: neither.
        """

    def create(self, version: int = 1) -> RootKey:
        """Make a new root key of a version, durable before this returns.

        Raises:
            OperatorError: there is one, or it cannot be made.
        """

    def load(self) -> RootKey:
        """The root key.

        Raises:
            OperatorError: it is missing, damaged, or not to be opened with what the operator gave.
        """
