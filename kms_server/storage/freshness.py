"""Cheap news of commits: has anything in the database changed since it was last read?"""

import fcntl
import mmap
import os
import struct
from pathlib import Path

_COUNTER = struct.Struct("<Q")


class Generation:
    """A counter in memory shared by all processes of this host.

    Writers raise it before and after each commit, so that a change holds at once on every worker. When a writer dies
    in between, or commits on another host, the look at the database a few times a second finds the change.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _COUNTER.size)
            self._memory = mmap.mmap(descriptor, _COUNTER.size)
        finally:
            os.close(descriptor)

    def read(self) -> int:
        """The present generation (well under a microsecond)."""
        value: int = _COUNTER.unpack_from(self._memory)[0]
        return value

    def raise_(self) -> None:
        """Tell every reader to look again; the lock keeps the counter from ever falling back."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _COUNTER.pack_into(self._memory, 0, self.read() + 1)
        finally:
            os.close(descriptor)
