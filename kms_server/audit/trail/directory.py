"""A directory as the destination of a trail.

A file's metadata are in a JSON object beside it, whose name ends in `.metadata`. Nobody else may read what is delivered.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kms_server.audit.trail.destination import Delivered, DestinationError, NoSuchFile
from kms_server.files import UNFINISHED, sync_directory, write_private

_METADATA = ".metadata"
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
            write_private(path.with_name(path.name + _METADATA), json.dumps(dict(metadata)).encode())
            write_private(path, body)

    def get(self, key: str) -> Delivered:
        """See `Destination`."""
        path = self._path(key)
        with _failing():
            try:
                body = path.read_bytes()
                metadata = json.loads(path.with_name(path.name + _METADATA).read_bytes())
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise NoSuchFile from None
            except (ValueError, RecursionError):
                metadata = None
        return Delivered(body, metadata if _is_metadata(metadata) else {})

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Destination`."""
        found = []
        with _failing():
            if not self._directory.is_dir():
                raise DestinationError("NoSuchBucket")
            for parent, _, names in os.walk(self._directory):
                below = Path(parent).relative_to(self._directory)
                found += [str(below / name) for name in names if _is_delivered(name)]
        wanted = [key for key in found if key.startswith(prefix)]
        yield from sorted(wanted, key=os.fsencode)

    def _path(self, key: str) -> Path:
        """Where a file is; never outside the directory.

        Raises:
            DestinationError: no file can have that key.
        """
        parts = key.split("/")
        is_odd = any(part in ("", ".", "..") or part.startswith(UNFINISHED) for part in parts)
        if is_odd or "\0" in key or key.endswith(_METADATA):
            raise DestinationError("InvalidArgument", f"no file can be called {key!r}")
        return self._directory.joinpath(*parts)


def _is_metadata(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_delivered(name: str) -> bool:
    return not (name.startswith(UNFINISHED) or name.endswith(_METADATA))


def _make_directories(top: Path, wanted: Path) -> None:
    missing = []
    while wanted != top and not wanted.is_dir():
        missing.append(wanted)
        wanted = wanted.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent)


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        code = _CODES.get(error.errno or 0, "ServiceUnavailable")
        raise DestinationError(code, error.strerror or code) from None
