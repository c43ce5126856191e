"""A claimed request under way: a thread reads its body and makes its answer, the event loop receives and writes."""

import asyncio
from functools import partial
from typing import Protocol

from kms_server.protocol.message import ClientGone, Request, StreamedResponse
from kms_server.server.door_types import StreamAnswerer, parts_of, release
from kms_server.server.http_writer import CONTINUE
from kms_server.server.incoming_body import IncomingBody
from kms_server.server.outgoing_body import OutgoingBody
from kms_server.server.threads import Errand, Threads
from kms_server.server.turns import Turns

# How many pieces are written before other connections have their turn.
_PIECES = 8


class Client(Protocol):
    """What a transfer asks of its connection, in the event loop's thread."""

    write_paused: bool

    def advance(self) -> None:
        """Go on with whatever waits."""

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes."""

    def begin_answer(self, response: StreamedResponse) -> bool:
        """Send the head of the answer; False when none can be made of it, and the connection ends."""

    def end_transfer(self, error: BaseException | None) -> None:
        """The whole answer has been sent, or `error` says why not."""


class Transfer:
    """One claimed request.

    `begun` says that the head of the answer has been sent.
    """

    def __init__(self, request: Request, body: IncomingBody, client: Client, threads: Threads) -> None:
        self._request = request
        self._client = client
        self._threads = threads
        self._errand: Errand[None] | None = None
        self._left = False
        self._loop = asyncio.get_running_loop()
        self._response: StreamedResponse | None = None
        # Without the transfer, which refers to both bodies.
        self._wake = partial(self._loop.call_soon_threadsafe, client.advance)
        self._outgoing = OutgoingBody(self._wake)
        self._made = False
        self.body = body
        self.begun = False
        body.on_read = self._wake

    def start(self, streams: StreamAnswerer, turns: Turns) -> None:
        """Have it answered, when it is its client's turn."""
        address = self._request.source_ip

        def begin() -> None:
            self._errand = self._threads.start(partial(self._run, streams))
            made = asyncio.wrap_future(self._errand.future, loop=self._loop)
            made.add_done_callback(lambda _: turns.leave(address))
            made.add_done_callback(self._on_made)

        turns.enter(address, begin)

    def lag(self, now: float) -> float:
        """For how many seconds its client has held up the thread; `now` is in monotonic seconds."""
        return max(self.body.pace.lag(now), self._outgoing.pace.lag(now))

    @property
    def is_late(self) -> bool:
        """Whether the storage keeps its thread, or all that it could have, for too long."""
        return self._threads.is_stuck if self._errand is None else self._errand.is_late

    def leave(self) -> None:
        """It has been answered as failed: it is not begun any more, and a thread that has begun it stays behind."""
        self._left = True
        self.fail()

    def _run(self, streams: StreamAnswerer) -> None:
        if self._left:
            raise ClientGone
        response = streams.answer(self._request)
        self._response = response
        self._wake()
        try:
            for part in parts_of(response, self._request.method):
                self._outgoing.put(part)
        finally:
            release(response)

    def _on_made(self, future: "asyncio.Future[None]") -> None:
        """All parts of the answer have been made, or no more will be."""
        error = future.exception()
        if error is not None:
            self._errand = None  # whose future has the error, which refers to the frame of `_run`
            self._client.end_transfer(error)
        else:
            self._made = True
            self._client.advance()

    def advance(self) -> None:
        """Go on as far as the thread and the client have come."""
        response = self._response
        if response is None:
            if self.body.asked and self.body.awaits_continue:
                self.body.awaits_continue = False
                self._client.write(CONTINUE)
            return
        if not self.begun:
            self.begun = True
            if not self._client.begin_answer(response):
                return
        for _ in range(_PIECES):
            if self._client.write_paused:
                return
            piece = self._outgoing.take()
            if piece is None:
                if self._made:
                    self._client.end_transfer(None)
                return
            self._client.write(piece)
        self._wake()

    def fail(self) -> None:
        """The client has gone."""
        self.body.fail()
        self._outgoing.fail()
