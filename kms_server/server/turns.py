"""Whose transfer gets a thread next."""

from collections import Counter, deque
from collections.abc import Callable

# A client that moves fewer bytes a second than this holds up the thread that serves it.
LEAST_RATE = 32_768


class Turns:
    """Lets `most` transfers run at a time; of the addresses that wait the one with the fewest running ones is next.

    For the event loop's thread.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    @property
    def crowded(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    def enter(self, address: str, begin: Callable[[], None]) -> None:
        """Have `begin` called, now or when it is the turn of a transfer from `address`."""
        if self._free:
            self._begin(address, begin)
        else:
            self._waiting.setdefault(address, deque()).append(begin)

    def leave(self, address: str) -> None:
        """A transfer from `address` that had begun is over."""
        self._free += 1
        self._running[address] -= 1
        if not self._running[address]:
            del self._running[address]
        if self._waiting:
            chosen = min(self._waiting, key=self._running.__getitem__)
            queue = self._waiting.pop(chosen)
            begin = queue.popleft()
            if queue:
                # Behind all others with as many running.
                self._waiting[chosen] = queue
            self._begin(chosen, begin)

    def _begin(self, address: str, begin: Callable[[], None]) -> None:
        self._free -= 1
        self._running[address] += 1
        begin()


class Pace:
    """How a client keeps up with the thread that serves it: a leaky bucket, so that no burst earns a long wait.

    The thread writes, the event loop reads.
    """

    __slots__ = ("_lag", "_since")

    def __init__(self) -> None:
        self._since: float | None = None
        self._lag = 0.0

    def wait(self, now: float) -> None:
        """The thread waits for the client; `now` is in monotonic seconds."""
        self._since = now

    def go_on(self, now: float) -> None:
        """It does no more."""
        since, self._since = self._since, None
        if since is not None:
            self._lag += now - since

    def move(self, count: int) -> None:
        """So many bytes have passed."""
        self._lag = max(0.0, self._lag - count / LEAST_RATE)

    def lag(self, now: float) -> float:
        """For how many seconds the thread has waited beyond what a client at the least rate makes it wait."""
        since = self._since
        return self._lag + (0.0 if since is None else now - since)
