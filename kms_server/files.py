"""Files and directories that only their owner may read, and what makes them durable."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kms_server.errors import OperatorError

_NUMBERED = 1_024
UNFINISHED = ".unfinished-"  # what a file is called before it is whole


def make_private_dir(path: Path) -> None:
    """Create a directory with mode 0700, and what is missing above it, or keep the one that is there.

    Raises:
        OperatorError: it cannot be created.
    """
    try:
        # `parents=True` would give those above the mode that the umask leaves: with none, others could replace it all.
        for above in reversed(path.absolute().parents):
            if not above.exists():
                above.mkdir(mode=0o700, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            f"cannot create the directory {path}: {error.strerror}; choose another by --data-dir"
        ) from None


def read_private(path: Path, *, called: str, remedy: str, forbidden: int = 0o077) -> bytes:
    """The first 4 KiB of a file that holds a secret; `forbidden` are permissions that it may not have.

    Raises:
        OperatorError: it cannot be read, or others can read it, too.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(4096)
    except OSError as error:
        raise OperatorError(f"cannot read {called} {path}: {error.strerror}; {remedy}") from None
    if mode & forbidden:
        raise OperatorError(f"{called} {path} can be read by others: run `chmod 600 {path}`")
    return content


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, with mode 0600 from its first byte, and make it durable."""
    with private_file(path) as file:
        file.write(content)


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write and to read again, with mode 0600, that replaces another in one step when the block ends, durably.

    When the block raises, all is as before.
    """
    temporary = path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_tree(directory: Path) -> None:
    """Make all files below a directory, and their names, durable."""
    for where, _, names in os.walk(directory):
        for name in names:
            descriptor = os.open(Path(where, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(where)


def sync_directory(directory: str | Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for an exclusive lock on a file and hold it."""
    with lock_file(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def only_server(path: Path) -> Iterator[None]:
    """Hold the lock that makes a data directory one server's.

    Raises:
        OperatorError: another server has it.
    """
    with lock_file(path) as descriptor:
        if not take(descriptor):
            raise OperatorError(
                f"another server is using {path.parent.parent}: stop it, or choose another --data-dir"
            )
        yield


@contextmanager
def lock_file(path: Path) -> Iterator[int]:
    """A file to lock, made where it is missing; what a process holds of it ends with the block, or with the process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def take(descriptor: int) -> bool:
    """Take the exclusive lock of an open file, unless another process holds it."""
    return _taken(descriptor, fcntl.LOCK_EX)


def take_shared(descriptor: int) -> bool:
    """Take the lock of an open file as others may that share it, unless another process has it for itself."""
    return _taken(descriptor, fcntl.LOCK_SH)


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take_one_of(directory: Path) -> int:
    """The descriptor of the first numbered file that no living process has; it is made where all are taken.

    Raises:
        OSError: a thousand are taken.
    """
    for number in range(_NUMBERED):
        descriptor = os.open(directory / f"{number:04}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if take(descriptor):
            return descriptor
        os.close(descriptor)
    raise OSError(f"more than {_NUMBERED} processes have files in {directory}")
