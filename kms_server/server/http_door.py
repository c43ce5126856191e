"""The fast door: HTTP/1.1 on an event loop, in front of the pipeline.

A call on warm keys runs inline; one that needs the database runs in a thread. Answers leave in the order of the
requests, and none before its audit record is on disk. A call goes on when its client has gone.
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

from kms_server.audit.group_commit import Ticket
from kms_server.errors import KMSInternalException
from kms_server.keyring.cache import WouldBlock
from kms_server.protocol.message import Response, TlsDetails
from kms_server.server.door import Door
from kms_server.server.door_types import OWN_PATHS, failure, for_web_page
from kms_server.server.http_reader import HttpReader, Incoming
from kms_server.server.http_writer import CONTINUE, refusal
from kms_server.server.pipeline import Arrival, Outcome, Stage, handle

_LOG = logging.getLogger(__name__)
# How long a refused client may go on sending what is thrown away, so that it gets to read the refusal.
_LINGER_SECONDS = 2.0
_MAPPED = "::ffff:"


class Connection(asyncio.Protocol):
    """One client connection.

    `_current` is the request under way, `_work` what has become of it between two stages, and
    `_outcome` its answer while that waits for its record. `_since` is when what is waited for now began. `_ending`
    means that the last answer has been written.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._limits = door.limits
        self._loop = asyncio.get_running_loop()
        self._current: Incoming | None = None
        self._work: object = None
        self._outcome: Outcome | None = None
        self._half_closed = False
        self._write_paused = False
        self._reading = True
        self._ending = False
        self._since = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        ssl_object = transport.get_extra_info("ssl_object")
        self._tls = TlsDetails(ssl_object.version(), ssl_object.cipher()[0]) if ssl_object else None
        self._reader = HttpReader(self._limits, _address(peer[0]) if peer else "", self._tls)
        if len(self._door.connections) >= self._limits.max_connections or self._door.draining:
            self._end()
            return
        self._door.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """The client is gone; a call under way goes on."""
        self._ending = self._reading = True
        self._door.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if not self._ending:
            self._reader.receive(data)
            self._door.soon(self)

    def eof_received(self) -> bool:
        """The client sends no more; keep the connection while answers are due. TLS has no half-closed state."""
        self._half_closed = True
        return self._tls is None and not self._ending and self._answers_due()

    def pause_writing(self) -> None:
        """The client does not read: read nothing from it either."""
        self._write_paused = True
        self.advance()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._write_paused = False
        self.advance()

    def check_time(self, now: float) -> None:
        """End what takes too long: a record that does not reach the disk, a call, a client."""
        waited = now - self._since
        if self._outcome is not None:
            if waited > self._limits.audit_deadline:
                self._answer(self._outcome.unaudited())
                self.advance()
        elif self._current is not None:
            if waited > self._limits.request_timeout:
                self._fail("a call took longer than its time limit")
        elif self._ending or self._write_paused:
            refused = self._reader.refusal is not None
            if waited > (_LINGER_SECONDS if refused else self._limits.request_timeout):
                self._transport.abort()
        elif self._reader.in_message:
            allowed = self._limits.request_timeout if self._reader.in_body else self._limits.header_timeout
            if now - max(self._since, self._reader.began) > allowed:
                self._reader.refusal = 408
                self.advance()
        elif waited > self._limits.idle_timeout:
            self._end()

    def abort(self) -> None:
        """Close at once."""
        self._ending = True
        self._transport.abort()

    def close_if_idle(self) -> None:
        """Close unless an answer is due."""
        if not (self._ending or self._answers_due() or self._reader.in_message):
            self._end()

    def _answers_due(self) -> bool:
        return self._current is not None or self._reader.waiting

    def advance(self) -> None:
        """Answer the requests that wait, one after the other; after the last comes what else is due."""
        while self.begin():
            for stage in self._door.stages:
                self.go(stage)
        reading = self._ending or not (self._reader.full or self._write_paused)
        if reading != self._reading and not self._half_closed:
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _catch_up(self) -> None:
        """Every request that has arrived is answered."""
        if self._reader.refusal is not None:
            self._refuse(self._reader.refusal)
        elif self._half_closed:
            self._end()
        elif self._reader.awaits_continue:
            self._reader.awaits_continue = False
            self._transport.write(CONTINUE)

    def begin(self) -> bool:
        """Take the next request unless one is under way; whether one was taken."""
        if self._current is not None or self._ending or self._write_paused:
            return False
        incoming = self._reader.take()
        if incoming is None:
            self._catch_up()
            return False
        self._current = incoming
        self._since = time.monotonic()
        door, request = self._door, incoming.request
        if request.target.startswith(OWN_PATHS):
            self._in_thread(door.own_threads, partial(door.bridge.answer, request))
        else:
            self._work = Arrival(request, may_block=False)
        return True

    def go(self, stage: Stage) -> None:
        """Take the request under way through a stage, or through all of them in a thread when it would wait."""
        work = self._work
        if work is None:
            return
        self._work = None
        try:
            done = stage(work)
        except WouldBlock:
            assert self._current is not None  # noqa: S101 - there is work only on a request under way
            self._in_thread(self._door.threads, partial(handle, self._door.stages, self._current.request))
        except Exception as error:  # noqa: BLE001 - the last resort: no input may get a traceback
            self._fail(f"a request failed: {type(error).__name__}")
        else:
            if isinstance(done, Outcome):
                self._take(done)
            else:
                self._work = done

    def _in_thread(self, threads: ThreadPoolExecutor, work: "partial[Outcome]") -> None:
        future = self._loop.run_in_executor(threads, work)
        future.add_done_callback(self._on_cold_done)

    def _on_cold_done(self, future: "asyncio.Future[Outcome]") -> None:
        error = future.exception()
        if self._ending:
            return  # the client has gone, or was answered when the time limit had passed
        if error is not None:
            self._fail(f"a request failed in its thread: {type(error).__name__}")
            return
        self._since = time.monotonic()  # the record's deadline begins when the record was handed over
        self._take(future.result())
        self.advance()

    def _take(self, outcome: Outcome) -> None:
        """Answer when the record of the call is on disk."""
        ticket = outcome.ticket
        if ticket is None:
            self._answer(outcome.response)
        elif ticket.done:
            self._settle(outcome, ticket)
        else:
            self._outcome = outcome
            ticket.on_done = self._on_ticket

    def _on_ticket(self, ticket: Ticket) -> None:
        """The record is on disk, or failed; a ticket whose deadline has passed is no longer waited for."""
        outcome = self._outcome
        if outcome is not None and outcome.ticket is ticket:
            self._settle(outcome, ticket)
            self.advance()

    def _settle(self, outcome: Outcome, ticket: Ticket) -> None:
        self._answer(outcome.unaudited() if ticket.failed else outcome.response)

    def _answer(self, response: Response, *, last: bool = False) -> None:
        incoming = self._current
        self._current, self._outcome = None, None
        self._since = time.monotonic()
        if self._ending or incoming is None:
            return
        keep_alive = incoming.keep_alive and not last and not self._door.draining
        request = incoming.request
        if "origin" in request.headers:
            response = for_web_page(request.method, request.target, response)
        with_body = request.method != "HEAD"
        self._transport.write(self._door.writer.render(response, keep_alive=keep_alive, with_body=with_body))
        if not keep_alive:
            self._end()

    def _fail(self, what: str) -> None:
        _LOG.error("%s", what)
        request = self._current.request if self._current is not None else None
        self._answer(failure(KMSInternalException(), request), last=True)

    def _refuse(self, status: int) -> None:
        """Answer bytes that are no request. Closing over unread bytes would reset the connection under the answer."""
        self._transport.write(self._door.writer.render(refusal(status), keep_alive=False, with_body=True))
        if self._half_closed or not self._transport.can_write_eof():
            self._end()
            return
        self._ending = True
        self._since = time.monotonic()
        self._transport.write_eof()

    def _end(self) -> None:
        self._ending = True
        self._since = time.monotonic()
        self._transport.close()


def _address(peer: str) -> str:
    """A client's address as policies have it: a socket for both families has IPv4 addresses in IPv6's form."""
    return peer.removeprefix(_MAPPED) if "." in peer else peer
