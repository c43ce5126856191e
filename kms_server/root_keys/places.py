"""Where root keys live, by what `--root-key` says."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kms_server.errors import OperatorError
from kms_server.root_keys.file_place import FilePlace
from kms_server.root_keys.provider import RootKey


class RootPlace(Protocol):
    """A home of one or more versions of the root key."""

    @property
    def spec(self) -> str:
        """How `--root-key` names it, from wherever a process is started."""

    def exists(self) -> bool:
        """Whether there is anything."""

    def require_home(self, made_later: Path) -> None:
        """Check that a root key can be made; the directory `made_later` need not be there yet.

        Raises:
            OperatorError: it cannot.
        """

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


_KINDS: Mapping[str, Callable[[str], RootPlace]] = {"file": lambda rest: FilePlace(Path(rest).absolute())}


def place_of(spec: str) -> RootPlace:
    """The place that a spec such as file:PATH names; nothing is read yet.

    Raises:
        OperatorError: it names none.
    """
    kind, _, rest = spec.partition(":")
    if kind not in _KINDS or not rest:
        raise OperatorError("--root-key must be file:PATH")
    return _KINDS[kind](rest)
