"""Homes of one version of the root key, which take an operator's secret, another service or a device to open."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.files import sync_directory
from kms_server.root_keys.provider import RootKey
from kms_server.root_keys.sealed_file import SealedFile


class OneVersionPlace(ABC):
    """What such places have in common; each knows how its version is made and opened."""

    spec: str
    name: str
    path: Path | None = None

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is a root key."""

    @abstractmethod
    def check(self) -> None:
        """Open what is there, or see that a first start can make it; nothing is made.

        Raises:
            OperatorError: neither.
        """

    @abstractmethod
    def create(self, version: int = 1) -> RootKey:
        """Make a new root key of a version, durable before this returns.

        Raises:
            OperatorError: there is one, or it cannot be made.
        """

    @abstractmethod
    def load(self) -> RootKey:
        """The root key that is there.

        Raises:
            OperatorError: it is missing, damaged, or not to be opened with what the operator gave.
        """

    def has(self, version: int, fingerprint: str) -> bool:  # noqa: ARG002 - only whoever opens it sees that
        """Whether the file's heading tells this version; a token is not asked."""
        if self.path is None:
            return True
        return SealedFile.read(self.path, self.spec.partition(":")[0]).heading.version == version

    def read(self) -> Sequence[RootKey]:
        """The version that is there."""
        return [self.load()]

    def make(self, version: int) -> RootKey:
        """The root key of a version, where there is none or this one.

        Raises:
            OperatorError: it cannot be made there, or another is there.
        """
        if not self.exists():
            return self.create(version)
        found = self.load()
        if found.version != version:
            raise OperatorError(
                f"{self.name} has room for one version of the root key: name a new place by "
                "`kms-server root migrate --to SPEC`"
            )
        return found

    def remove(self, fingerprints: Collection[str]) -> bool:
        """Take its file away.

        Raises:
            OperatorError: it has none, such as a token.
        """
        if not self.exists() or self.load().fingerprint not in fingerprints:
            return False
        if self.path is None:
            raise OperatorError(f"destroy the root key in {self.name} with the tools of its maker")
        self.path.unlink()
        sync_directory(self.path.parent)
        return True
