"""A root key in a file that only its owner may read: lines `kms-server-root-key 1 VERSION HEX`, in order of version."""

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.files import read_private, sync_directory
from kms_server.root_keys.memory import MemoryRootKey

_LINE = re.compile(rb"kms-server-root-key 1 ([1-9][0-9]{0,8}) ([0-9a-f]{64})\n")
_MOST_VERSIONS = 16


class FileRootKey(MemoryRootKey):
    """A root key read from its file once."""

    @classmethod
    def create(cls, path: Path, version: int = 1) -> "FileRootKey":
        """Make a new root key and its file, durable before this returns.

        Raises:
            OperatorError: the file exists or cannot be made.
        """
        made = cls.fresh(version)
        try:
            _create(path, made.line)
        except OSError as error:
            raise OperatorError(f"cannot create the root key file {path}: {error.strerror}") from None
        return made

    @classmethod
    def fresh(cls, version: int) -> "FileRootKey":
        """A new root key, in no file yet."""
        return cls(os.urandom(32), version)

    @classmethod
    def load(cls, path: Path) -> "FileRootKey":
        """Read the newest root key in a file.

        Raises:
            OperatorError: the file is missing, malformed, or readable by others.
        """
        return cls.load_all(path)[-1]

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
        _finish(path)
        return found

    @property
    def line(self) -> bytes:
        """What a file says of it."""
        return b"kms-server-root-key 1 %d %s\n" % (self.version, self._key.hex().encode())


def _create(path: Path, content: bytes) -> None:
    """Make a file that is whole or not there at all, whenever the process dies; an existing one stays."""
    temporary = _temporary(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # One creator at a time: whatever lies there is a dead one's.
        fcntl.flock(directory, fcntl.LOCK_EX)
        temporary.unlink(missing_ok=True)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            path.hardlink_to(temporary)
            os.fsync(directory)
        finally:
            temporary.unlink(missing_ok=True)
    finally:
        os.close(directory)


def _finish(path: Path) -> None:
    """What a creator left undone that died between naming the file and taking its other name away."""
    temporary = _temporary(path)
    with suppress(OSError):
        if temporary.exists():
            sync_directory(path.parent)
            temporary.unlink()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")
