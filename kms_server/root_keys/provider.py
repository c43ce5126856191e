"""What a root key can do, wherever it lives, and where it can be."""

from collections.abc import Collection, Sequence
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


class RootPlace(Protocol):
    """A home of one or more versions of the root key, as `--root-key` names it.

    Whatever an operator has to give is asked for once: the processes that a server forks afterwards read without asking.
    """

    @property
    def spec(self) -> str:
        """How `--root-key` names it, from wherever a process is started."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def path(self) -> Path | None:
        """The file that is there, if it is one."""

    def exists(self) -> bool:
        """Whether there is anything."""

    def check(self) -> None:
        """Open what is there, or see that a first start can make it; nothing is made.

        Raises:
            OperatorError: neither.
        """

    def has(self, version: int, fingerprint: str) -> bool:
        """Whether a version is there, as far as that is seen without opening what is sealed or asking a token.

        Raises:
            OperatorError: there is nothing, or it cannot be read.
        """

    def read(self) -> Sequence[RootKey]:
        """All versions that are there, the newest last.

        Raises:
            OperatorError: there are none, they are damaged, or not to be opened with what the operator gave.
        """

    def make(self, version: int) -> RootKey:
        """The root key of a version, durable before this returns; one that is there already is taken.

        Raises:
            OperatorError: it cannot be made there.
        """

    def remove(self, fingerprints: Collection[str]) -> bool:
        """Destroy root keys, as far as the place lets one; False: none was there.

        Raises:
            OperatorError: it cannot be changed.
        """
