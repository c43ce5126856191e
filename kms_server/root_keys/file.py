"""A root key in a file that only its owner may read: `kms-server-root-key 1 VERSION HEX`."""

import os
import re
from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.files import read_private
from kms_server.root_keys import key_file
from kms_server.root_keys.memory import MemoryRootKey

_LINE = re.compile(rb"kms-server-root-key 1 ([1-9][0-9]{0,8}) ([0-9a-f]{64})\n")


class FileRootKey(MemoryRootKey):
    """A root key read from its file once."""

    @classmethod
    def create(cls, path: Path) -> "FileRootKey":
        """Make a new root key and its file, durable before this returns.

        Raises:
            OperatorError: the file exists or cannot be made.
        """
        key = os.urandom(32)
        key_file.create(path, b"kms-server-root-key 1 1 %s\n" % key.hex().encode())
        return cls(key, version=1)

    @classmethod
    def load(cls, path: Path) -> "FileRootKey":
        """Read a root key.

        Raises:
            OperatorError: the file is missing, malformed, or readable by others.
        """
        remedy = "put the file back or name it by --root-key file:PATH"
        content = read_private(path, called="the root key", remedy=remedy)
        matched = _LINE.fullmatch(content)
        if matched is None:
            raise OperatorError(f"{path} is not a root key file: restore it from a backup")
        key_file.finish(path)
        return cls(bytes.fromhex(matched[2].decode()), version=int(matched[1]))


class FileSource:
    """`--root-key file:PATH`, and what a server has where it is told nothing."""

    remedy = "put the right file back, or name it by --root-key file:PATH"

    def __init__(self, path: Path, data_dir: Path) -> None:
        self.path = path
        self.place = str(path)
        self._data_dir = data_dir

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def check(self) -> None:
        """Read the file, or see that a first start can make it."""
        if self.path.exists():
            FileRootKey.load(self.path)
        elif self.path.parent.resolve() != self._data_dir.resolve():
            key_file.require_directory(self.path, "file")

    def create(self) -> FileRootKey:
        """Make the file."""
        return FileRootKey.create(self.path)

    def load(self) -> FileRootKey:
        """Read the file."""
        return FileRootKey.load(self.path)
