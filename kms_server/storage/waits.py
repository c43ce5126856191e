"""Who waits for the storage, and for how long already.

A thread that the kernel keeps in a sync, or in the queue for a lock, cannot be called back. Whoever answers for it looks
here, answers in its stead when it is late, and leaves the thread behind.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kms_server.errors import KMSInternalException


class Waits:
    """The threads that are in the storage now, each since when.

    `patience` is how many seconds a thread may be there before it is late; without limit unless a server sets it.
    """

    def __init__(self) -> None:
        self.patience = math.inf
        self._since: dict[int, float] = {}

    @contextmanager
    def noted(self, allowance: float = 0.0) -> Iterator[None]:
        """This thread is in the storage until the block ends; what takes long by itself has an `allowance` in seconds."""
        thread = threading.get_ident()
        if thread in self._since:  # a wait within a wait is one
            yield
            return
        self._since[thread] = time.monotonic() + allowance
        try:
            yield
        finally:
            del self._since[thread]

    @property
    def is_bounded(self) -> bool:
        """Whether anybody can be late."""
        return self.patience != math.inf

    def is_late(self, thread: int) -> bool:
        """Whether a thread, by its identifier, has been in the storage for longer than it may."""
        since = self._since.get(thread)
        return since is not None and time.monotonic() - since > self.patience

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """The block inside a transaction: what is late when it ends is undone, its client was told that it failed.

        Raises:
            KMSInternalException: this thread is late.
        """
        yield
        if self.is_late(threading.get_ident()):
            raise KMSInternalException

    def longest(self) -> float:
        """For how many seconds the thread that came first has been in the storage."""
        # A list is made in one step, whatever other threads do meanwhile.
        since = list(self._since.values())
        return max(0.0, time.monotonic() - min(since)) if since else 0.0
