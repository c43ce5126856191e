"""Cheap news of commits: has anything in the database changed since it was last read?"""

import errno
import fcntl
import mmap
import os
from pathlib import Path

_BYTES = 8


class Generation:
    """A counter in memory shared by all processes of this host; to read it is well under a microsecond.

    Writers raise it before and after each commit, so that a change holds at once on every worker. When a writer dies
    in between, or commits on another host, the look at the database a few times a second finds the change.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _BYTES)
            self.counter = memoryview(mmap.mmap(descriptor, _BYTES)).cast("Q")
        finally:
            os.close(descriptor)

    def raise_(self) -> None:
        """Tell every reader to look again; the lock keeps the counter from ever falling back."""
        descriptor = self._opened()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self.counter[0] += 1
        finally:
            os.close(descriptor)

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            # A file can be locked also when its disk takes no writes any more, and memory is what matters.
            return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
