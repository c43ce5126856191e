"""Free space that is kept for changes of keys, and for pruning, when data fills the disk."""

import logging
import os
import time
from pathlib import Path

_LOG = logging.getLogger(__name__)
# A batch of records, or a piece of an object, is small beside the reserve: while there is room, it is looked for no oftener.
_LOOK_SECONDS = 0.25


class Reserve:
    """The last `size` bytes that are free in the file system of `directory`; 0: none are kept."""

    def __init__(self, directory: Path, size: int) -> None:
        self.size = size
        self._directory = directory
        self._looked = -_LOOK_SECONDS
        self._is_used = False

    def free(self) -> int:
        """How many bytes are free for an unprivileged process."""
        found = os.statvfs(self._directory)
        return found.f_bavail * found.f_frsize

    def is_used(self) -> bool:
        """Whether no more than the reserve is left: what only adds data is refused then.

        Raises:
            OSError: the file system cannot be asked.
        """
        now = time.monotonic()
        if not self._is_used and now - self._looked <= _LOOK_SECONDS:
            return False
        self._looked = now
        used = self.free() < self.size
        # Another thread may have looked since, and found something else.
        if self._looked == now:
            if used and not self._is_used:
                _LOG.error(
                    "less than %d MiB are free in %s: calls that only add records or objects are refused until there is more; "
                    "free space on that disk, or have older audit records pruned",
                    self.size >> 20, self._directory,
                )  # fmt: skip
            self._is_used = used
        return used
