"""A way to PostgreSQL that can lose what the server answers, when what was asked has been done."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import make_url

_SOCKET = ".s.PGSQL.5432"
_AT_ONCE = 1 << 20


class PostgresProxy:
    """Passes on what clients and server say; `lost` counts the answers that were dropped with their connections."""

    def __init__(self, directory: Path, target: str) -> None:
        url = make_url(target)
        self._server = f"{url.query['host']}/{_SOCKET}"
        self.url = url.update_query_dict({"host": str(directory)}).render_as_string(hide_password=False)
        self.round_trips = 0
        self.lost = 0
        self._marks: tuple[bytes, ...] = ()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / _SOCKET))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answer(self, *marks: bytes) -> None:
        """Once: when a client has said all of these in their order, the server does it, and the client never hears of it."""
        self._marks = marks

    def close(self) -> None:
        """Let no client in any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                _Link(self, client, server)

    def _said(self, data: bytes, place: int) -> int:
        """How many of the marks a connection has said now."""
        while place < len(self._marks) and (found := data.find(self._marks[place])) >= 0:
            data, place = data[found:], place + 1
        return place

    def _must_lose(self, place: int) -> bool:
        if not self._marks or place < len(self._marks):
            return False
        self._marks, self.lost = (), self.lost + 1
        return True


class _Link:
    """One connection; a thread for each direction."""

    def __init__(self, proxy: PostgresProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._loses = False
        for pump in (self._up, self._down):
            threading.Thread(target=pump, daemon=True).start()

    def _up(self) -> None:
        place = 0
        with suppress(OSError):
            while data := self._client.recv(_AT_ONCE):
                place = self._proxy._said(data, place)
                self._loses = self._loses or self._proxy._must_lose(place)
                self._server.sendall(data)
        self._end(self._client)

    def _down(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(_AT_ONCE):
                if self._loses:
                    break
                self._proxy.round_trips += data.count(b"Z\x00\x00\x00\x05")  # ReadyForQuery
                self._client.sendall(data)
        self._end(self._server)

    def _end(self, read: socket.socket) -> None:
        for one in (self._client, self._server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        read.close()


@contextmanager
def between(target: str) -> Iterator[PostgresProxy]:
    """A proxy before the database at `target`, a URL."""
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="kms-px-") as directory:
        proxy = PostgresProxy(Path(directory), target)
        yield proxy
        proxy.close()
