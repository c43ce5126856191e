"""The body of an answer on its way from the thread that makes it to the event loop, which writes it."""

import threading
import time
from collections import deque
from collections.abc import Callable

from kms_server.protocol.message import ClientGone
from kms_server.server.turns import Pace

# The thread waits while more than this is queued; a single larger part passes alone.
HIGH_WATER = 1_048_576
# Larger parts are written in slices, so that little waits in the connection when its client does not read.
_SLICE = 262_144


class OutgoingBody:
    """A bounded queue of parts; `on_part` is called in the thread when the event loop must look."""

    def __init__(self, on_part: Callable[[], object]) -> None:
        self._on_part = on_part
        self.pace = Pace()
        self._room = threading.Condition()
        self._parts: deque[bytes] = deque()
        self._rest = memoryview(b"")
        self._held = 0
        self._failed = False
        self._noticed = False

    def put(self, part: bytes) -> None:
        """Queue a part; waits for room.

        Raises:
            ClientGone: nobody will read it.
        """
        with self._room:
            while self._held and self._held + len(part) > HIGH_WATER and not self._failed:
                self.pace.wait(time.monotonic())
                self._room.wait()
                self.pace.go_on(time.monotonic())
            if self._failed:
                raise ClientGone
            self._parts.append(part)
            self._held += len(part)
            self.pace.move(len(part))
            notice, self._noticed = not self._noticed, True
        if notice:
            self._on_part()

    def take(self) -> bytes | memoryview | None:
        """What to write next; None when there is nothing now."""
        with self._room:
            if not self._rest:
                if not self._parts:
                    self._noticed = False
                    return None
                part = self._parts.popleft()
                if len(part) <= _SLICE:
                    self._release(len(part))
                    return part
                self._rest = memoryview(part)
            piece, self._rest = self._rest[:_SLICE], self._rest[_SLICE:]
            self._release(len(piece))
            return piece

    def _release(self, size: int) -> None:
        self._held -= size
        self._room.notify()

    def fail(self) -> None:
        """The client has gone."""
        with self._room:
            self._failed = True
            self._room.notify()
