"""A root key sealed by a passphrase, through scrypt (RFC 7914); parameters `scrypt,LOG2_N,R,P,SALT`.

The root key itself is random: without the file, a database can't be opened by guessing passphrases.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from kms_server.crypto import wrap
from kms_server.errors import OperatorError
from kms_server.root_keys import key_file
from kms_server.root_keys.memory import MemoryRootKey
from kms_server.root_keys.one_version import OneVersionPlace
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.root_keys.sealed_file import Heading, SealedFile, malformed

KIND = "passphrase"
_SHORTEST = 12
# At most 512 MiB (128 * N * r bytes) and eight passes, whatever a forged file asks for.
_PARAMETERS = re.compile(r"scrypt,(1[4-9]),8,([1-8]),([0-9a-f]{32})")


class Cost(NamedTuple):
    """What a guess costs: 2**log2_n blocks of 1 KiB, `passes` times. The default takes 128 MiB and half a second."""

    log2_n: int = 17
    passes: int = 1


_COST = Cost()


class PassphrasePlace(OneVersionPlace):
    """`--root-key passphrase:PATH`."""

    path: Path

    def __init__(self, path: Path, data_dir: Path, secret: OperatorSecret, cost: Cost = _COST) -> None:
        self.path = path
        self.name = str(path)
        self.spec = f"{KIND}:{path}"
        self._data_dir = data_dir
        self._secret = secret
        self._cost = cost
        self._opened: MemoryRootKey | None = None

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def check(self) -> None:
        """Open the file, or see that a first start can make it."""
        if self.path.exists():
            self.load()
        elif self.path.parent.resolve() != self._data_dir.resolve():
            key_file.require_directory(self.path, KIND)

    def create(self, version: int = 1) -> MemoryRootKey:
        """Make the file under a new passphrase."""
        passphrase = self._secret.ask("Passphrase of the new root key", twice=True)
        if len(passphrase) < _SHORTEST:
            raise OperatorError(f"a passphrase for the root key has at least {_SHORTEST} characters")
        salt = os.urandom(16).hex()
        parameters = f"scrypt,{self._cost.log2_n},8,{self._cost.passes},{salt}"
        heading = Heading(KIND, version, parameters)
        key = os.urandom(32)
        sealing = _derive(passphrase, heading, self.path)
        SealedFile(heading, wrap.wrap(sealing, key, heading.encode())).write(self.path)
        self._opened = MemoryRootKey(key, heading.version)
        return self._opened

    def load(self) -> MemoryRootKey:
        """Open the file, which takes the passphrase the first time."""
        if self._opened is None:
            found = SealedFile.read(self.path, KIND)
            sealing = _derive(self._secret.ask("Passphrase of the root key"), found.heading, self.path)
            try:
                key = wrap.unwrap(sealing, found.sealed, found.heading.encode())
            except wrap.WrapError:
                raise OperatorError(
                    f"this is not the passphrase of the root key in {self.path}, or the file is damaged: try again, "
                    "or restore it from a backup"
                ) from None
            self._opened = MemoryRootKey(key, found.heading.version)
        return self._opened


def _derive(passphrase: str, heading: Heading, path: Path) -> bytes:
    matched = _PARAMETERS.fullmatch(heading.parameters)
    if matched is None:
        raise malformed(path)
    log2_n, passes, salt = int(matched[1]), int(matched[2]), bytes.fromhex(matched[3])
    return Scrypt(salt=salt, length=32, n=1 << log2_n, r=8, p=passes).derive(passphrase.encode())
