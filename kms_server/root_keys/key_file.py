"""Files that hold a root key, or what opens one: whole or not there at all, and never replaced by a start."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.files import sync_directory


def create(path: Path, content: bytes) -> None:
    """Make a file with mode 0600, durable before this returns; an existing one stays.

    Raises:
        OperatorError: the file exists or cannot be made.
    """
    try:
        _create(path, content)
    except OSError as error:
        raise OperatorError(f"cannot create the root key file {path}: {error.strerror}") from None


def require_directory(path: Path, kind: str) -> None:
    """Check that a first start could make the file; `kind` is how --root-key names it.

    Raises:
        OperatorError: there is no directory for it.
    """
    if not path.parent.is_dir():
        raise OperatorError(
            f"there is no directory {path.parent} for the root key: make it, or choose another by "
            f"--root-key {kind}:PATH"
        )


def finish(path: Path) -> None:
    """What a creator left undone that died between naming the file and taking its other name away."""
    temporary = _temporary(path)
    with suppress(OSError):
        if temporary.exists():
            sync_directory(path.parent)
            temporary.unlink()


def _create(path: Path, content: bytes) -> None:
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


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")
