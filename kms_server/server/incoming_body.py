"""The body of a request on its way from the event loop, which receives it, to the thread that reads it."""

import threading
import time
from collections import deque
from collections.abc import Callable

from kms_server.protocol.message import ClientGone
from kms_server.server.turns import Pace

# Nothing is read from a client while this much of its body waits for the thread.
HIGH_WATER = 1_048_576
_LOW_WATER = HIGH_WATER // 2
# So much of a body that nobody reads is received and thrown away, for the sake of the requests after it.
_SKIPPED = 1_048_576
# What a piece costs beside its bytes.
_PIECE_OVERHEAD = 64
# Pieces are joined up to this size: many small ones would cost a read each, and large ones the copy.
_JOINED = 65_536


class IncomingBody:
    """A `Body` that holds about `HIGH_WATER` bytes, and one receive of the socket more.

    `length` is the Content-Length, None for a chunked body. `awaits_continue` says that the client has not begun to
    send because it waits for a 100, and `asked` that the thread wants to read. `on_read` is called in the reading
    thread when the event loop has something to do: to send the 100, or to go on receiving.
    """

    def __init__(self, length: int | None, *, awaits_continue: bool) -> None:
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._offset = 0
        self._held = 0
        self._failed = False
        self._unwanted = False
        self._waits_since: float | None = None
        self.pace = Pace()
        self.to_come = length
        self.awaits_continue = awaits_continue
        self.asked = False
        self.complete = False
        self.on_read: Callable[[], object] = lambda: None

    # In the event loop's thread.

    @property
    def full(self) -> bool:
        """Whether nothing more should be received for now."""
        return self._held >= HIGH_WATER

    def feed(self, part: bytes) -> None:
        """A piece has arrived."""
        self.awaits_continue = False
        if self.to_come is not None:
            self.to_come -= len(part)
        if self._unwanted:
            return
        with self._changed:
            self._pieces.append(part)
            self._held += len(part) + _PIECE_OVERHEAD
            self._waits_since = None
            self._changed.notify()

    def finish(self) -> None:
        """All of it has arrived."""
        with self._changed:
            self.complete, self.awaits_continue = True, False
            self._changed.notify()

    def fail(self) -> None:
        """The rest will not come."""
        with self._changed:
            self._failed = not self.complete
            self._changed.notify()

    def discard(self) -> None:
        """Nobody will read it any more."""
        self._unwanted = True
        with self._changed:
            self._pieces.clear()
            self._held = 0

    @property
    def skippable(self) -> bool:
        """Whether another request can follow an answer that does not need the rest of the body."""
        if self.complete:
            return True
        comes = not (self._failed or self.awaits_continue)
        return comes and self.to_come is not None and self.to_come <= _SKIPPED

    def waited(self, now: float) -> float:
        """For how many seconds the thread has waited for the client; `now` is in monotonic seconds."""
        since = self._waits_since
        return 0.0 if since is None else now - since

    # In the reading thread.

    def read(self, most: int) -> bytes:
        """The next bytes; see `Body`."""
        if self.awaits_continue and not self.asked:
            self.asked = True
            self.on_read()
        with self._changed:
            while not self._pieces and not self.complete and not self._failed:
                self._waits_since = time.monotonic()
                self.pace.wait(self._waits_since)
                self._changed.wait()
                self.pace.go_on(time.monotonic())
            self._waits_since = None
            if self._failed:
                raise ClientGone
            held = self._held
            taken = self._take(most)
            self.pace.move(len(taken))
            resumes = held >= _LOW_WATER > self._held
        if resumes:
            self.on_read()
        return taken

    def _take(self, most: int) -> bytes:
        taken = [self._next(most)] if self._pieces else []
        size = sum(map(len, taken))
        while self._pieces and size + len(self._pieces[0]) <= min(most, _JOINED):
            piece = self._next(most)
            taken.append(piece)
            size += len(piece)
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _next(self, most: int) -> bytes:
        """The first piece, or what is left of it, or a part of that; copied only where it is cut."""
        piece = self._pieces[0]
        part = piece[self._offset : self._offset + most]
        self._offset += len(part)
        self._held -= len(part)
        if self._offset == len(piece):
            self._pieces.popleft()
            self._offset = 0
            self._held -= _PIECE_OVERHEAD
        return part
