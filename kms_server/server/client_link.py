"""A client's connection below the calls: its bytes, who reads and writes when, and how it ends."""

import asyncio
import time
from abc import abstractmethod
from typing import cast

from kms_server.protocol.message import TlsDetails
from kms_server.server.door import Door, Guest
from kms_server.server.entrance import address_of
from kms_server.server.http_reader import HttpReader, Incoming
from kms_server.server.http_writer import refusal

# How long a client that has just connected has for its first request, when the server is stopping.
_FIRST_SECONDS = 1.0
# How long a client may go on sending what is thrown away, so that it gets to read its last answer.
_LINGER_SECONDS = 2.0


class ClientLink(asyncio.Protocol, Guest):
    """What one connection is beside the work on its requests.

    `_current` is the request under way. `_since` is when what is waited for now began (monotonic seconds). `_ending`
    means that the last answer has been written, `_lingering` that the client may still be sending what nobody reads.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._limits = door.limits
        self._current: Incoming | None = None
        self._half_closed = False
        self._reading = True
        self._ending = False
        self._lingering = False
        self._unsent = 0
        self._born = self._since = time.monotonic()
        self.write_paused = False
        door.coming[self] = self._born

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._born = self._since = time.monotonic()
        peer = transport.get_extra_info("peername")
        ssl_object = transport.get_extra_info("ssl_object")
        self._tls = TlsDetails(ssl_object.version(), ssl_object.cipher()[0]) if ssl_object else None
        address, door = address_of(peer[0]) if peer else "", self._door
        self._reader = HttpReader(
            self._limits, address, self._tls, claims=door.claims,
            proxied=door.entrance if door.entrance.trusts(address) else None,
        )  # fmt: skip
        door.coming.pop(self, None)
        if door.over or len(door.connections) >= self._limits.max_connections:
            self._end()
            return
        door.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """The client is gone."""
        self._ending = self._reading = True
        self._reader.cut_off()
        self._door.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if not self._ending:
            self._reader.receive(data)
            if self._reader.streamed is not None:
                # At once: the event loop reads a socket many times before the connection has its turn.
                self._regulate()
            self._door.soon(self)

    def eof_received(self) -> bool:
        """The client sends no more; keep the connection while answers are due. TLS has no half-closed state."""
        self._half_closed = True
        self._reader.cut_off()
        return self._tls is None and not self._ending and self._answers_due()

    def pause_writing(self) -> None:
        """The client does not read: read nothing from it either."""
        self.write_paused = True
        self.advance()

    def resume_writing(self) -> None:
        """The client reads again."""
        self.write_paused = False
        self._unsent = 0
        self.advance()

    @abstractmethod
    def advance(self) -> None:
        """Go on with whatever waits."""

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes; they are kept until the client reads them."""
        self._transport.write(data)

    def abort(self) -> None:
        """Close at once."""
        self._ending = True
        self._transport.abort()

    def close_if_idle(self) -> None:
        """Close unless an answer is due, or the first request on its way."""
        if not (self._ending or self._is_new or self._answers_due() or self._reader.in_message):
            self._end()

    @property
    def _is_due(self) -> bool:
        """Whether more than the answer to the request under way may be due."""
        return self._reader.is_behind or self._half_closed or not self._reading

    @property
    def _is_new(self) -> bool:
        """Whether the client has asked for nothing yet, and may be about to."""
        return self._since == self._born and time.monotonic() - self._born < _FIRST_SECONDS

    def _answers_due(self) -> bool:
        return self._current is not None or self._reader.waiting

    def _regulate(self) -> None:
        """Read from the client or not; what nobody wants any more is read and thrown away."""
        reading = self._ending or not (self._reader.full or self.write_paused)
        if reading != self._reading and not self._half_closed:
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _check_client(self, now: float) -> None:
        """End what takes too long while no call is under way."""
        waited = now - self._since
        if self._ending or self.write_paused:
            refused = self._lingering or self._reader.refusal is not None
            if (waited > _LINGER_SECONDS) if refused else self._is_stuck(now):
                self._transport.abort()
        elif self._reader.waiting:
            return  # it has its turn right after this
        elif self._reader.streamed is not None:
            if waited > _LINGER_SECONDS:
                self._end()
        elif self._reader.in_message:
            allowed = self._limits.request_timeout if self._reader.in_body else self._limits.header_timeout
            if now - max(self._since, self._reader.began) > allowed:
                self._reader.refusal = 408
                self.advance()
        elif waited > (_FIRST_SECONDS if self._door.draining else self._limits.idle_timeout):
            self._end()

    def _is_stuck(self, now: float) -> bool:
        """Whether the client has read nothing for too long."""
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._since = unsent, now
        return now - self._since > self._limits.request_timeout

    def _end(self) -> None:
        """Close when the client has read what was written."""
        self._ending = True
        self._since = time.monotonic()
        self._transport.close()

    def _linger(self) -> None:
        """Close, but read on for a while: closing over unread bytes would reset the connection under the answer."""
        if not self._transport.can_write_eof():
            self._end()  # the end of TLS waits for the client's by itself, and reads on meanwhile
            return
        self._ending = self._lingering = True
        self._since = time.monotonic()
        self._transport.write_eof()

    def _keeps(self, incoming: Incoming) -> bool:
        """Whether the client may send another request after this one's answer."""
        keep_alive = incoming.keep_alive and not self._door.leaving
        return keep_alive and (incoming.body is None or incoming.body.skippable)

    def _conclude(self, incoming: Incoming, *, keep_alive: bool) -> None:
        """Skip what nobody reads of the body of a request whose answer has been written, or close."""
        body = incoming.body
        unread = body is not None and not body.complete
        if body is not None:
            body.discard()
        if not keep_alive:
            if unread and not self._half_closed:
                self._linger()
            else:
                self._end()

    def _refuse(self, status: int) -> None:
        """Answer bytes that are no request. Closing over unread bytes would reset the connection under the answer."""
        self.write(self._door.writer.render(refusal(status), keep_alive=False, with_body=True))
        if self._half_closed:
            self._end()
        else:
            self._linger()
