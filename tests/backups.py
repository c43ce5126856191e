"""Backups made and restored by the commands, in this process."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kms_server.files import write_private
from tests.functional.command_line import Done, run


@dataclass
class Vault:
    """A directory for backups, and a recipient of theirs."""

    directory: Path

    @cached_property
    def recipient(self) -> list[str]:
        """The option that encrypts for the recipient, whose private key is written too."""
        key = X25519PrivateKey.generate()
        write_private(
            self.directory / "private.pem",
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )
        public = self.directory / "public.pem"
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return ["--recipient", str(public)]

    @property
    def identity(self) -> list[str]:
        """The option that opens what is encrypted for the recipient."""
        return ["--identity", str(self.directory / "private.pem")]

    def make(self, name: str, *where: str, **variables: str) -> Path:
        """A backup of the server that the options of `where` name."""
        path = self.directory / name
        done = run("backup", str(path), *self.recipient, *where, **variables)
        assert done.returncode == 0, done.stderr
        assert path.stat().st_mode & 0o777 == 0o600
        return path

    def restore(self, path: Path, *where: str) -> Done:
        """A restore, which may fail."""
        return run("restore", str(path), *self.identity, *where)


def tree(directory: Path) -> dict[str, bytes | None]:
    """All that is below a directory; None for directories."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


def modes(directory: Path) -> set[tuple[str, int]]:
    """The kinds and modes of a directory and of all that is below it."""
    return {
        ("directory" if path.is_dir() else "file", path.stat().st_mode & 0o777)
        for path in (directory, *directory.rglob("*"))
    }
