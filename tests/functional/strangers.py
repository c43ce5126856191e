"""Clients that speak in bytes to a live server, over plain HTTP or TLS, and leave as they like."""

import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.functional.server_process import ServerProcess
from tests.unit.server.door_server import read_answer

HEALTH = b"GET /_kms/health HTTP/1.1\r\nHost: kms.test\r\n\r\n"
_SECONDS = 30


class Front:
    """A server with one worker, as strangers see it."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.server = ServerProcess(directory, *options, workers=1)
        self.address = "127.0.0.1", int(self.server.url.rpartition(":")[2])
        bundle = self.server.access.verify
        self._context = ssl.create_default_context(cafile=bundle) if bundle else None

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self._context is not None

    def plain(self) -> socket.socket:
        """A connection; before TLS where that is spoken."""
        made = socket.create_connection(self.address, timeout=_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def connect(self) -> socket.socket:
        """A connection that is ready for a request."""
        return self.secured(self.plain())

    def secured(self, made: socket.socket) -> socket.socket:
        """A connection after TLS, where that is spoken."""
        return self._context.wrap_socket(made, server_hostname="localhost") if self._context else made

    def exchange(self, data: bytes) -> bytes:
        """Send bytes as far as the server takes them, then read until it closes."""
        with self.connect() as client:
            with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
                client.sendall(data)
            return rest(client)

    def serves(self) -> bool:
        """Whether it answers; what others have sent until now it has read by then."""
        with self.connect() as client:
            client.sendall(HEALTH)
            return read_answer(client)[0] == 200

    @property
    def _process(self) -> Path:
        (pid,) = self.server.worker_pids()
        return Path(f"/proc/{pid}")

    @property
    def sockets(self) -> int:
        """How many of TCP the worker has open."""
        # Field 9 is the inode, by which a descriptor names its socket; a database is reached by sockets of the file system.
        tables = [(self._process / "net" / name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
        of_tcp = {f"socket:[{line.split()[9]}]" for table in tables for line in table}
        count = 0
        for descriptor in (self._process / "fd").iterdir():
            with suppress(FileNotFoundError):
                count += str(descriptor.readlink()) in of_tcp
        return count

    @property
    def resident_bytes(self) -> int:
        """The memory that the worker occupies."""
        pages = int((self._process / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @contextmanager
    def forgets_everybody(self) -> Iterator[None]:
        """After the block, whoever connected in it has been let go of, and the server serves."""
        assert self.serves()
        before = self.sockets
        yield
        deadline = time.monotonic() + _SECONDS
        while self.sockets > before:
            assert time.monotonic() < deadline, f"{self.sockets} sockets are open instead of {before}"
            time.sleep(0.02)
        assert self.serves()

    def stop(self) -> None:
        """It ends well, and nothing that happened was worth a traceback."""
        assert self.server.stop() == 0
        log = self.server.log.read_text()
        assert "Traceback" not in log
        assert "internal failure" not in log


def rest_while_sending(client: socket.socket, data: bytes) -> bytes:
    """Send bytes as far as the server takes them and read until it closes; in one thread, since TLS is for one."""
    client.setblocking(False)
    later = BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError
    unsent, received = memoryview(data), b""
    while True:
        ready = select.select([client], [client] if unsent else [], [], _SECONDS)
        assert any(ready), "nothing happens any more"
        if unsent:
            with suppress(*later):
                try:
                    unsent = unsent[client.send(unsent[:65_536]) :]
                except (BrokenPipeError, ConnectionResetError):
                    unsent = memoryview(b"")
        with suppress(*later):
            try:
                part = client.recv(65_536)
            except ConnectionResetError:
                return received
            if not part:
                return received
            received += part


def rest(client: socket.socket) -> bytes:
    """What comes until the other side closes, or resets."""
    received = bytearray()
    with suppress(ConnectionResetError, ssl.SSLEOFError):
        while piece := client.recv(65_536):
            received += piece
    return bytes(received)


def vanish(client: socket.socket) -> None:
    """Close so that the other side gets a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def answers(client: socket.socket, count: int) -> Iterable[tuple[int, bytes]]:
    """Status and body of the next answers, all of which have a Content-Length."""
    with client.makefile("rb") as stream:
        for _ in range(count):
            status = int(stream.readline().split()[1])
            length = 0
            while (line := stream.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            yield status, stream.read(length)
