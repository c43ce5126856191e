"""A root key in a file that only its owner may read: lines `kms-server-root-key 1 VERSION HEX`, in order of version."""

import os
import re
from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.files import read_private
from kms_server.root_keys import key_file
from kms_server.root_keys.memory import MemoryRootKey

_LINE = re.compile(rb"kms-server-root-key 1 ([1-9][0-9]{0,8}) ([0-9a-f]{64})\n")
_MOST_VERSIONS = 16


class FileRootKey(MemoryRootKey):
    """A root key read from its file once."""

    def __init__(self, key: bytes, version: int) -> None:
        super().__init__(key, version)
        self._key = key

    @classmethod
    def create(cls, path: Path, version: int = 1) -> "FileRootKey":
        """Make a new root key and its file, durable before this returns.

        Raises:
            OperatorError: the file exists or cannot be made.
        """
        made = cls.fresh(version)
        key_file.create(path, made.line)
        return made

    @classmethod
    def fresh(cls, version: int) -> "FileRootKey":
        """A new root key, in no file yet."""
        return cls(os.urandom(32), version)

    @classmethod
    def load_all(cls, path: Path) -> "list[FileRootKey]":
        """Read all root keys in a file, one or more, the oldest first.

        Raises:
            OperatorError: the file is missing, malformed, or readable by others.
        """
        remedy = "put the file back or name it by --root-key file:PATH"
        content = read_private(path, called="the root key", remedy=remedy)
        lines = [_LINE.fullmatch(line) for line in content.splitlines(keepends=True)]
        found = [cls(bytes.fromhex(line[2].decode()), int(line[1])) for line in lines if line]
        versions = [key.version for key in found]
        if (
            len(found) != len(lines)
            or not found
            or sorted({*versions}) != versions
            or len(found) > _MOST_VERSIONS
        ):
            raise OperatorError(f"{path} is not a root key file: restore it from a backup")
        key_file.finish(path)
        return found

    @property
    def line(self) -> bytes:
        """What a file says of it."""
        return b"kms-server-root-key 1 %d %s\n" % (self.version, self._key.hex().encode())
