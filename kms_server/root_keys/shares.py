"""A root key sealed by a key that several custodians have shares of; parameters `shamir,SET,THRESHOLD,SHARES`."""

import os
import re
from pathlib import Path

from kms_server.crypto import shamir, wrap
from kms_server.errors import OperatorError
from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.one_version import OneVersionPlace
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.root_keys.sealed_file import Heading, SealedFile, malformed
from kms_server.root_keys.share import Share

KIND = "shares"
_PARAMETERS = re.compile(r"shamir,([0-9a-f]{8}),([0-9]{1,3}),([0-9]{1,3})")


def split(path: Path, *, shares: int, threshold: int) -> list[str]:
    """Make a root key in a file and the shares that open it, which are kept nowhere.

    Raises:
        OperatorError: the numbers do not fit, or the file exists or cannot be made.
    """
    if not 2 <= threshold <= shares <= shamir.MOST:
        raise OperatorError(f"--threshold is at least 2 and at most --shares, which is at most {shamir.MOST}")
    set_id = os.urandom(4)
    heading = Heading(KIND, 1, f"shamir,{set_id.hex()},{threshold},{shares}")
    sealing = os.urandom(32)
    SealedFile(heading, wrap.wrap(sealing, os.urandom(32), heading.encode())).write(path)
    parts = shamir.split(sealing, shares=shares, threshold=threshold)
    return [Share(set_id, index, threshold, part).encode() for index, part in parts.items()]


class SharesPlace(OneVersionPlace):
    """`--root-key shares:PATH`: opened by shares, one after the other."""

    path: Path

    def __init__(self, path: Path, secret: OperatorSecret) -> None:
        self.path = path
        self.name = str(path)
        self.spec = f"{KIND}:{path}"
        self._secret = secret
        self._given: dict[int, bytes] = {}
        self._opened: MemoryRootKey | None = None
        self._file: tuple[SealedFile, bytes, int] | None = None

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def check(self) -> None:
        """Read the file, and open it if there are shares to be read, too; others come later."""
        self._read()
        if not self._secret.is_typed:
            self.load()

    def create(self, version: int = 1) -> MemoryRootKey:  # noqa: ARG002 - see below
        """Refused: somebody has to take the shares."""
        raise OperatorError(f"there is no {self.path}: make it, and its shares, by `kms-server root split`")

    @property
    def given(self) -> int:
        """How many shares there are so far."""
        return len(self._given)

    @property
    def threshold(self) -> int:
        """How many shares are needed."""
        return self._read()[2]

    @property
    def is_sealed(self) -> bool:
        """Whether shares are still needed."""
        return self._opened is None

    def give(self, text: str) -> None:
        """Take one share; the last that is needed opens the file.

        Raises:
            OperatorError: it is none, of another set, or together the shares open nothing; then all are forgotten.
        """
        file, set_id, threshold = self._read()
        share = Share.decode(text)
        if share.set_id != set_id or share.threshold != threshold:
            raise OperatorError(f"this share is of another set: {self.path} needs those of {set_id.hex()}")
        if not self.is_sealed:
            return
        self._given[share.number] = share.part
        if len(self._given) < threshold:
            return
        try:
            key = wrap.unwrap(shamir.combine(self._given), file.sealed, file.heading.encode())
        except (wrap.WrapError, ValueError):
            raise OperatorError(
                f"these shares do not open {self.path}: one of them is forged, or the file is damaged; begin anew"
            ) from None
        finally:
            self._given.clear()
        self._opened = MemoryRootKey(key, file.heading.version)

    def load(self) -> MemoryRootKey:
        """The root key; asks for shares until there are enough."""
        while self._opened is None:
            for text in self.ask():
                self.give(text)
        return self._opened

    def ask(self) -> list[str]:
        """The next share from the terminal, or all that a file or a descriptor has in its one line."""
        texts = self._secret.ask(f"Share {self.given + 1} of {self.threshold}").replace(",", " ").split()
        if not self._secret.is_typed and len(texts) < self.threshold:
            raise OperatorError(f"{len(texts)} shares were given, and {self.threshold} are needed")
        return texts

    def _read(self) -> tuple[SealedFile, bytes, int]:
        if self._file is None:
            file = SealedFile.read(self.path, KIND)
            matched = _PARAMETERS.fullmatch(file.heading.parameters)
            if matched is None or not 2 <= int(matched[2]) <= int(matched[3]) <= shamir.MOST:
                raise malformed(self.path)
            self._file = file, bytes.fromhex(matched[1]), int(matched[2])
        return self._file
