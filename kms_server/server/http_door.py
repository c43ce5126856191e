"""The fast door: HTTP/1.1 on an event loop, in front of the pipeline.

A call on warm keys runs inline; one that needs the database runs in a thread. Answers leave in the order of the
requests, and none before its audit record is on disk. A call goes on when its client has gone.
"""

import asyncio
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import cast

from kms_server.audit.group_commit import Ticket
from kms_server.config import Limits
from kms_server.keyring.cache import WouldBlock
from kms_server.protocol.message import Request, Response, TlsDetails
from kms_server.server.http_reader import HttpReader, Incoming, Refused
from kms_server.server.pipeline import Outcome, Pipeline
from kms_server.server.wsgi_bridge import WsgiBridge

_LOG = logging.getLogger(__name__)
_OWN_PATHS = "/_kms/"


class Door:
    """What all connections of a worker share."""

    def __init__(self, pipeline: Pipeline, bridge: WsgiBridge, limits: Limits) -> None:
        self.pipeline = pipeline
        self.bridge = bridge
        self.limits = limits
        self.threads = ThreadPoolExecutor(limits.cold_threads, thread_name_prefix="cold")
        self.connections: set[Connection] = set()
        self.draining = False
        self._date = (0, b"")

    def date(self) -> bytes:
        """The Date header's value, made once a second."""
        second = int(time.time())
        if self._date[0] != second:
            text = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
            self._date = (second, text.encode())
        return self._date[1]

    def sweep(self) -> None:
        """End connections that are past a time limit; called a few times a second."""
        now = time.monotonic()
        for connection in list(self.connections):
            connection.check_time(now)

    def drain(self) -> None:
        """Take no more requests; connections close when their last answer is out."""
        self.draining = True
        for connection in list(self.connections):
            connection.close_if_idle()


class Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._limits = door.limits
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Incoming] = deque()
        self._current: Incoming | None = None
        self._outcome: Outcome | None = None
        self._paused = False
        self._closing = False
        self._since = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        ssl_object = transport.get_extra_info("ssl_object")
        tls = TlsDetails(ssl_object.version(), ssl_object.cipher()[0]) if ssl_object else None
        self._reader = HttpReader(
            self._limits, peer[0] if peer else "", tls, self._on_request, self._on_expects_continue
        )
        if len(self._door.connections) >= self._limits.max_connections or self._door.draining:
            transport.close()
            return
        self._door.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """The client is gone; a call under way goes on."""
        self._closing = True
        self._queue.clear()
        self._door.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._closing:
            return
        if not self._reader.in_message and self._current is None:
            self._since = time.monotonic()
        try:
            self._reader.feed(data)
        except Refused as refused:
            self._refuse(refused.status)

    def eof_received(self) -> bool:
        """The client sends no more; keep the connection while answers are due."""
        return self._current is not None

    def pause_writing(self) -> None:
        """The client does not read: read nothing from it either."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._transport.resume_reading()

    def check_time(self, now: float) -> None:
        """End what takes too long: a record that does not reach the disk, a request, an idle connection."""
        age = now - self._since
        if self._outcome is not None:
            if age > self._limits.audit_deadline:
                self._finish(self._outcome.unaudited())
        elif self._current is None:
            allowed = self._limits.header_timeout if self._reader.in_message else self._limits.idle_timeout
            if age > allowed:
                self._transport.close()

    def close_if_idle(self) -> None:
        """Close unless an answer is due."""
        if self._current is None and not self._reader.in_message:
            self._transport.close()

    def _on_expects_continue(self) -> None:
        if self._current is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _on_request(self, incoming: Incoming) -> None:
        if self._current is not None:
            self._queue.append(incoming)
            if len(self._queue) >= self._limits.max_pipelined and not self._paused:
                self._paused = True
                self._transport.pause_reading()
            return
        self._begin(incoming)

    def _begin(self, incoming: Incoming) -> None:
        self._current = incoming
        self._since = time.monotonic()
        request = incoming.request
        if request.path.startswith(_OWN_PATHS):
            self._in_thread(partial(self._door.bridge.answer, request))
            return
        try:
            outcome = self._door.pipeline.handle(request, may_block=False)
        except WouldBlock:
            self._in_thread(partial(self._door.pipeline.handle, request, may_block=True))
            return
        self._await_ticket(outcome)

    def _in_thread(self, work: "partial[Outcome]") -> None:
        future = self._loop.run_in_executor(self._door.threads, work)
        future.add_done_callback(self._on_cold_done)

    def _on_cold_done(self, future: "asyncio.Future[Outcome]") -> None:
        error = future.exception()
        if error is not None:
            _LOG.error("a request failed in its thread: %s", type(error).__name__)
            self._refuse(500)
            return
        # The record's deadline begins when the record was handed over.
        self._since = time.monotonic()
        self._await_ticket(future.result())

    def _await_ticket(self, outcome: Outcome) -> None:
        if outcome.ticket is None:
            self._finish(outcome.response)
            return
        self._outcome = outcome
        outcome.ticket.add_done_callback(self._on_ticket)

    def _on_ticket(self, ticket: Ticket) -> None:
        """The record is on disk, or failed; a ticket whose deadline has passed is no longer waited for."""
        outcome = self._outcome
        if outcome is None or outcome.ticket is not ticket:
            return
        self._finish(outcome.unaudited() if ticket.exception() else outcome.response)

    def _finish(self, response: Response) -> None:
        incoming = self._current
        self._current, self._outcome = None, None
        self._since = time.monotonic()
        if self._closing or incoming is None:
            return
        keep_alive = incoming.keep_alive and not self._door.draining
        self._transport.write(self._render(incoming.request, response, keep_alive=keep_alive))
        if not keep_alive:
            self._closing = True
            self._transport.close()
            return
        if self._queue:
            # Not at once: a long queue of quick calls must not grow the stack.
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        if self._current is not None or not self._queue:
            return
        incoming = self._queue.popleft()
        if self._paused and len(self._queue) < self._limits.max_pipelined // 2:
            self._paused = False
            self._transport.resume_reading()
        self._begin(incoming)

    def _refuse(self, status: int) -> None:
        if self._closing:
            return
        self._closing = True
        phrase = HTTPStatus(status).phrase
        self._transport.write(
            f"HTTP/1.1 {status} {phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        self._transport.close()

    def _render(self, request: Request, response: Response, *, keep_alive: bool) -> bytes:
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines.append(f"Content-Length: {len(response.body)}")
        if not keep_alive:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1")
        body = b"" if request.method == "HEAD" else response.body
        return b"%b\r\nDate: %b\r\n\r\n%b" % (head, self._door.date(), body)
