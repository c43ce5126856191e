"""A directory as the destination of a trail.

A file's metadata are in a JSON object beside it, whose name ends in `.metadata`. Nobody else may read what is delivered.
"""

import errno
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kms_server.audit.trail.destination import Delivered, DestinationError, NoSuchFile

_METADATA = ".metadata"
_UNFINISHED = ".unfinished-"
_CODES = {
    errno.EACCES: "AccessDenied", errno.EPERM: "AccessDenied", errno.EROFS: "AccessDenied", errno.ENOENT: "NoSuchBucket",
    errno.ENOTDIR: "NoSuchBucket", errno.EEXIST: "NoSuchBucket", errno.ENOSPC: "InsufficientStorage", errno.EDQUOT: "InsufficientStorage",
}  # fmt: skip


class DirectoryDestination:
    """A `Destination` in a directory, which is made if only it is missing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def check(self) -> None:
        """See that files could be written.

        Raises:
            DestinationError
        """
        with _failing():
            self._directory.mkdir(mode=0o700, exist_ok=True)
            if not os.access(self._directory, os.W_OK | os.X_OK):
                raise DestinationError("AccessDenied", f"{self._directory} cannot be written")

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """See `Destination`."""
        path = self._path(key)
        with _failing():
            self._directory.mkdir(mode=0o700, exist_ok=True)
            _make_directories(self._directory, path.parent)
            # Whoever sees the file must see its metadata, too.
            self._write(path.with_name(path.name + _METADATA), json.dumps(dict(metadata)).encode())
            self._write(path, body)

    def get(self, key: str) -> Delivered:
        """See `Destination`."""
        path = self._path(key)
        with _failing():
            try:
                body = path.read_bytes()
                metadata = json.loads(path.with_name(path.name + _METADATA).read_bytes())
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise NoSuchFile from None
            except ValueError:
                metadata = {}
        return Delivered(body, metadata)

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Destination`."""
        found = []
        with _failing():
            if not self._directory.is_dir():
                raise DestinationError("NoSuchBucket")
            for parent, _, names in os.walk(self._directory):
                below = Path(parent).relative_to(self._directory)
                found += [str(below / name) for name in names if not name.endswith(_METADATA)]
        wanted = [key for key in found if key.startswith(prefix) and not key.startswith(_UNFINISHED)]
        yield from sorted(wanted, key=os.fsencode)

    def _path(self, key: str) -> Path:
        """Where a file is; never outside the directory.

        Raises:
            DestinationError: no file can have that key.
        """
        parts = key.split("/")
        is_odd = any(part in ("", ".", "..") or part.startswith(_UNFINISHED) for part in parts)
        if is_odd or "\0" in key or key.endswith(_METADATA):
            raise DestinationError("InvalidArgument", f"no file can be called {key!r}")
        return self._directory.joinpath(*parts)

    def _write(self, path: Path, content: bytes) -> None:
        """Replace a file in one step, durably."""
        temporary = self._directory / f"{_UNFINISHED}{secrets.token_hex(8)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(path.parent)


def _make_directories(top: Path, wanted: Path) -> None:
    missing = []
    while wanted != top and not wanted.is_dir():
        missing.append(wanted)
        wanted = wanted.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        code = _CODES.get(error.errno or 0, "ServiceUnavailable")
        raise DestinationError(code, error.strerror or code) from None
