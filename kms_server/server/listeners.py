"""The sockets on which a worker's event loop takes connections."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypedDict

from kms_server.server.certificates import Certificates

_TLS_SHUTDOWN_SECONDS = 2.0
_BACKLOG = 1024
_LOG = logging.getLogger(__name__)


class _Tls(TypedDict, total=False):
    ssl: ssl.SSLContext
    ssl_handshake_timeout: float
    ssl_shutdown_timeout: float


class Listeners:
    """Takes connections for `protocol`, over TLS where there are `certificates`.

    The kernel's socket is each worker's own duplicate and stays open when a certificate is changed: connections that
    come meanwhile wait in its queue, and those that are there go on with what they began with.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], protocol: Callable[[], asyncio.Protocol],
        certificates: Certificates | None, handshake_timeout: float,
    ) -> None:  # fmt: skip
        self._sockets = sockets
        self._protocol = protocol
        self._certificates = certificates
        self._handshake_timeout = handshake_timeout
        self._servers: list[asyncio.Server] = []
        self._taking: list[asyncio.Future[None]] = []

    async def open(self) -> None:
        """Begin to take connections."""
        if self._certificates is not None:
            # Changed while this process was starting, when it could not be told.
            self._certificates.load_if_changed()
        self._servers = [await self._listen(one) for one in self._sockets]

    async def renew(self) -> None:
        """Read the certificate again: handshakes from now on get it. One that cannot be used changes nothing."""
        if self._certificates is None or not self._certificates.load():
            return
        opened: list[asyncio.Server] = []
        try:
            for one in self._sockets:
                opened.append(await self._listen(one))  # noqa: PERF401 - what was opened is known if the next fails
        except OSError as error:
            _LOG.error("the new certificate cannot be served and the old one stays: %s", error.strerror)
            former = opened
        else:
            former, self._servers = self._servers, opened
        for server in former:
            server.close()

    def close(self) -> None:
        """Take no more connections but those that wait in the kernel's queue: its end would reset them."""
        for server in self._servers:
            server.close()
        waiting = [client for one in self._sockets for client in _queued(one)]
        for one in self._sockets:
            one.close()
        self._taking = [asyncio.ensure_future(self._take(client)) for client in waiting]

    async def _listen(self, one: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(self._protocol, sock=one.dup(), backlog=_BACKLOG, **self._tls())

    async def _take(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._protocol, client, **self._tls())
        except OSError:  # it is gone, or there was no handshake
            client.close()

    def _tls(self) -> _Tls:
        if self._certificates is None:
            return {}
        return {
            "ssl": self._certificates.context,
            "ssl_handshake_timeout": self._handshake_timeout,
            "ssl_shutdown_timeout": _TLS_SHUTDOWN_SECONDS,
        }


def _queued(listening: socket.socket) -> Iterator[socket.socket]:
    with suppress(OSError):  # none is left, or there are no descriptors for them
        while True:
            yield listening.accept()[0]
