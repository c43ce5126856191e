"""The sockets on which a worker's event loop takes connections."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence

from kms_server.server.certificates import Certificates

_TLS_SHUTDOWN_SECONDS = 2.0
_BACKLOG = 1024
_LOG = logging.getLogger(__name__)


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
        """Take no more connections."""
        for server in self._servers:
            server.close()
        for one in self._sockets:
            one.close()

    async def _listen(self, one: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if self._certificates is None:
            return await loop.create_server(self._protocol, sock=one.dup(), backlog=_BACKLOG)
        return await loop.create_server(
            self._protocol, sock=one.dup(), backlog=_BACKLOG, ssl=self._certificates.context,
            ssl_handshake_timeout=self._handshake_timeout, ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS,
        )  # fmt: skip
