"""Stands between a server and its PostgreSQL, and does to the bytes what networks and proxies do."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests.postgres_server import Postgres

_SOCKET = ".s.PGSQL.5432"
_AT_ONCE = 65_536


class _Link:
    """One connection, both ways; what is `swallowed` is read and goes nowhere."""

    def __init__(self, proxy: "Proxy", client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._sent = b""
        self._loses = False
        self.swallowed = False

    def cut(self) -> None:
        self._client.transport.abort()
        self._server.transport.abort()

    async def pump(self, reader: asyncio.StreamReader, *, up: bool) -> None:
        """Forward one way until either side ends."""
        to = self._server if up else self._client
        while data := await reader.read(_AT_ONCE):
            await self._proxy.pause()
            if up and self._proxy.takes_no_more():
                self.cut()
            if up:
                self._watch(data)
            elif self._loses:
                self.cut()
                self._proxy.cuts += 1
            if not self.swallowed:
                to.write(data)
        to.close()

    def _watch(self, data: bytes) -> None:
        """See whether this is the COMMIT of the transaction whose answer is to be lost."""
        self._sent += data
        if b"COMMIT" not in data:
            return
        marker = self._proxy.marker
        if marker is not None and marker in self._sent:
            self._proxy.marker = None
            self._loses = True
        self._sent = b""


class Proxy:
    """What a server takes for its database; `cuts` counts the answers to a COMMIT that were lost."""

    def __init__(self, directory: Path, postgres: Postgres) -> None:
        self._directory = directory
        self._behind = postgres.directory / _SOCKET
        self._links: set[_Link] = set()
        self._delay = 0.0
        self._go = asyncio.Event()
        self._go.set()
        self._left: int | None = None
        self.marker: bytes | None = None
        self.cuts = 0
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._thread.start()
        self._listening.wait()

    def url(self, direct: str) -> str:
        """The URL of a database by way of this."""
        return f"postgresql://kms@{urlsplit(direct).path}?host={self._directory}"

    async def pause(self) -> None:
        """Wait as long as bytes have to."""
        await self._go.wait()
        if self._delay:
            await asyncio.sleep(self._delay)

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Whatever is sent arrives so much later."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing arrives until the block ends; then everything does."""
        self._in_loop(self._go.clear)
        try:
            yield
        finally:
            self._in_loop(self._go.set)

    def swallow(self) -> None:
        """Nothing arrives any more by the connections there are; new ones work."""
        for link in list(self._links):
            link.swallowed = True

    def cut(self) -> None:
        """End all connections."""
        for link in list(self._links):
            self._in_loop(link.cut)

    @contextmanager
    def lost_after(self, messages: int) -> Iterator[None]:
        """That many more messages reach the database; with the next the connection ends, and until the block does there is no other."""
        self._left = messages
        try:
            yield
        finally:
            self._left = None

    @property
    def is_lost(self) -> bool:
        """Whether the messages are used up."""
        return self._left == 0

    def takes_no_more(self) -> bool:
        """Whether a message finds the database lost; else it is one less."""
        if self._left:
            self._left -= 1
            return False
        return self.is_lost

    def lose_answer(self, marker: bytes) -> None:
        """Cut the connection that commits next what has `marker` in it, when that has happened."""
        self.marker = marker

    def close(self) -> None:
        """End."""
        self._in_loop(self._go.set)
        self._in_loop(self._stopping.set)
        self._thread.join()
        self._loop.close()

    def _in_loop(self, step: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(step)

    async def _run(self) -> None:
        server = await asyncio.start_unix_server(self._serve, self._directory / _SOCKET)
        self._listening.set()
        await self._stopping.wait()
        server.close()
        while self._links:
            for link in list(self._links):
                link.cut()
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_lost:
            writer.transport.abort()
            return
        try:
            answers, server = await asyncio.open_unix_connection(self._behind)
        except OSError:  # the server is down: so is this
            writer.transport.abort()
            return
        link = _Link(self, writer, server)
        self._links.add(link)
        pumps = link.pump(reader, up=True), link.pump(answers, up=False)
        await asyncio.gather(*pumps, return_exceptions=True)
        self._links.discard(link)


@contextmanager
def proxied(postgres: Postgres) -> Iterator[Proxy]:
    """A proxy as long as a block takes."""
    with TemporaryDirectory(prefix="kms-px-") as directory:
        proxy = Proxy(Path(directory), postgres)
        try:
            yield proxy
        finally:
            proxy.close()
