"""A root key in a file that only its owner may read: `kms-server-root-key 1 VERSION HEX`."""

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.files import read_private, sync_directory
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
        try:
            _create(path, b"kms-server-root-key 1 1 %s\n" % key.hex().encode())
        except OSError as error:
            raise OperatorError(f"cannot create the root key file {path}: {error.strerror}") from None
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
        _finish(path)
        return cls(bytes.fromhex(matched[2].decode()), version=int(matched[1]))


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
