"""A file as the home of several versions of the root key: one is added, or taken out, in one step."""

import fcntl
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.files import sync_directory
from kms_server.root_keys import key_file
from kms_server.root_keys.file import FileRootKey

Content = Sequence[FileRootKey]


class FilePlace:
    """`--root-key file:PATH`, and what a server has where it is told nothing: each root key is a line.

    Commands that change the file take turns. Its directory is there, but for `data_dir`, which a first start makes.
    """

    def __init__(self, path: Path, data_dir: Path | None = None) -> None:
        self.path = path
        self.name = str(path)
        self._data_dir = data_dir
        self._next = path.with_name(f".{path.name}.next")
        self._former = path.with_name(f".{path.name}.former")

    @property
    def spec(self) -> str:
        """How --root-key names it."""
        return f"file:{self.path}"

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def check(self) -> None:
        """Read the file, or see that a first start can make it."""
        if self.path.exists():
            self.read()
        elif self._data_dir is None or self.path.parent.resolve() != self._data_dir.resolve():
            key_file.require_directory(self.path, "file")

    def has(self, version: int, fingerprint: str) -> bool:
        """Whether a line is this root key."""
        return (version, fingerprint) in [(key.version, key.fingerprint) for key in self.read()]

    def read(self) -> Content:
        """All versions that are here, the newest last.

        Raises:
            OperatorError: there are none, or they cannot be read.
        """
        return FileRootKey.load_all(self.path)

    def make(self, version: int) -> FileRootKey:
        """The root key of a version, durable before this returns; one that is here already, by whoever's hand, is taken.

        Raises:
            OperatorError: it cannot be made, or the file has other versions that are newer.
        """
        if not self.path.exists():
            return FileRootKey.create(self.path, version)
        with self._changing():
            kept = FileRootKey.load_all(self.path)
            found = next((key for key in kept if key.version == version), None)
            if found is not None:
                return found
            if kept[-1].version > version:
                raise OperatorError(
                    f"{self.path} has version {kept[-1].version} of a root key: name a file that is not there"
                )
            made = FileRootKey.fresh(version)
            self._write([*kept, made])
            self._next.replace(self.path)
            sync_directory(self.path.parent)
        return made

    def remove(self, fingerprints: Collection[str]) -> bool:
        """Take root keys out and overwrite what the file was, as far as its file system lets one; False: none was here.

        Raises:
            OperatorError: the file cannot be read or changed.
        """
        if not self.path.parent.is_dir():
            return False
        with self._changing():
            if not self.path.exists():
                return False
            found = FileRootKey.load_all(self.path)
            kept = [key for key in found if key.fingerprint not in fingerprints]
            if len(kept) == len(found):
                return False
            if kept:
                self._write(kept)
            self._former.hardlink_to(self.path)
            sync_directory(self.path.parent)
            if kept:
                self._next.replace(self.path)
            else:
                self.path.unlink()
            sync_directory(self.path.parent)
            self._overwrite_former()
        return True

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One change at a time; what a killed one has left is done away with first."""
        try:
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(directory, fcntl.LOCK_EX)
                self._next.unlink(missing_ok=True)
                self._finish_removal()
                yield
                self._next.unlink(missing_ok=True)
            finally:
                os.close(directory)
        except OSError as error:
            raise OperatorError(f"cannot change the root key file {self.path}: {error.strerror}") from None

    def _finish_removal(self) -> None:
        if not self._former.exists():
            return
        if self.path.exists() and self._former.samefile(self.path):
            self._former.unlink()  # killed before the file was replaced: both are the file in use
        else:
            self._overwrite_former()

    def _overwrite_former(self) -> None:
        with self._former.open("r+b") as file:
            file.write(os.urandom(os.fstat(file.fileno()).st_size))
            file.flush()
            os.fsync(file.fileno())
        self._former.unlink()
        sync_directory(self.path.parent)

    def _write(self, keys: Iterable[FileRootKey]) -> None:
        """Write what is to replace the file, for the same owner."""
        owner = self.path.stat()
        descriptor = os.open(self._next, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if owner.st_uid != os.geteuid():
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(b"".join(key.line for key in keys))
            file.flush()
            os.fsync(descriptor)
