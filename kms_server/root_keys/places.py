"""Where root keys live, by what `--root-key` says."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.files import sync_directory
from kms_server.root_keys.file_place import FilePlace
from kms_server.root_keys.opening import root_key_source
from kms_server.root_keys.provider import RootKey, RootKeySource


class RootPlace(Protocol):
    """A home of one or more versions of the root key."""

    @property
    def spec(self) -> str:
        """How `--root-key` names it, from wherever a process is started."""

    def exists(self) -> bool:
        """Whether there is anything."""

    def read(self) -> Sequence[RootKey]:
        """All versions that are there.

        Raises:
            OperatorError: there are none, or they cannot be read.
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


class SourcePlace:
    """A home of one version, which takes an operator's secret, another service or a device to open."""

    def __init__(self, spec: str, source: RootKeySource) -> None:
        self.spec = spec
        self._source = source

    def exists(self) -> bool:
        """Whether there is anything."""
        return self._source.exists()

    def read(self) -> Sequence[RootKey]:
        """The version that is there."""
        return [self._source.load()]

    def make(self, version: int) -> RootKey:
        """The root key of a version, where there is none or this one.

        Raises:
            OperatorError: it cannot be made there, or another is there.
        """
        if not self._source.exists():
            return self._source.create(version)
        found = self._source.load()
        if found.version != version:
            raise OperatorError(
                f"{self._source.place} has room for one version of the root key: name a new place by "
                "`kms-server root migrate --to SPEC`"
            )
        return found

    def remove(self, fingerprints: Collection[str]) -> bool:
        """Take its file away.

        Raises:
            OperatorError: it has none, such as a token.
        """
        path = self._source.path
        if not self._source.exists() or self._source.load().fingerprint not in fingerprints:
            return False
        if path is None:
            raise OperatorError(f"destroy the root key in {self._source.place} with the tools of its maker")
        path.unlink()
        sync_directory(path.parent)
        return True


def place_of(spec: str, settings: Settings) -> RootPlace:
    """The place that a spec such as file:PATH names; nothing is read yet, and nobody asked.

    Raises:
        OperatorError: it names none.
    """
    kind, _, rest = spec.partition(":")
    if kind == "file" and rest:
        return FilePlace(Path(rest).absolute())
    return SourcePlace(spec, root_key_source(settings, spec))
