"""Cheap news of commits: has anything in the database changed since it was last read?"""

import mmap
import os
import struct
import threading
import time
from pathlib import Path
from typing import Any, Protocol

from pysqlite3 import dbapi2

_COUNTER = struct.Struct("<Q")
_REREAD_SECONDS = 0.25


class Watcher(Protocol):
    """Tells states of the database apart."""

    def token(self) -> object:
        """A value that differs from the last one when a commit may have happened in between.

        It never stays the same over a commit whose writer has answered.
        """


class SqliteWatcher:
    """SQLite's own data version: it moves with each commit of any other connection or process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: Any = None

    def token(self) -> int:
        """The present data version (about 2 microseconds)."""
        with self._lock:
            if self._connection is None:
                self._connection = dbapi2.connect(str(self._path), check_same_thread=False)
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version


class Generation:
    """A counter in memory shared by all processes of this host.

    Writers raise it before and after each commit. The addition is not atomic, and need not be: every value
    a reader has not seen means "read again", and writers hold the writer lock.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _COUNTER.size)
            self._memory = mmap.mmap(descriptor, _COUNTER.size)
        finally:
            os.close(descriptor)

    def read(self) -> int:
        """The present generation."""
        value: int = _COUNTER.unpack_from(self._memory)[0]
        return value

    def raise_(self) -> None:
        """Tell every reader to look again."""
        _COUNTER.pack_into(self._memory, 0, self.read() + 1)


class GenerationWatcher:
    """The host's generation, and a look four times a second for changes made on other hosts."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def token(self) -> tuple[int, int]:
        """The generation and the quarter of a second."""
        return self._generation.read(), int(time.monotonic() / _REREAD_SECONDS)
