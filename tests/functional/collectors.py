"""Log collectors for tests: what they received, and one that takes nothing."""

import json
import os
import socket
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self


class LineCollector(threading.Thread):
    """Reads the lines of a pipe until its other end is closed."""

    def __init__(self, pipe: IO[str]) -> None:
        super().__init__(daemon=True)
        self._file = os.fdopen(os.dup(pipe.fileno()))
        self.lines: list[str] = []
        self.start()

    def run(self) -> None:
        with self._file:
            for line in self._file:
                self.lines.append(line)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


class SyslogCollector:
    """Takes messages over TCP, each behind its length, or of a local socket of datagrams."""

    def __init__(self, path: Path | None = None) -> None:
        self.messages: list[str] = []
        self._connections: list[socket.socket] = []
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.target = f"syslog+tcp://127.0.0.1:{self._listener.getsockname()[1]}"
            work = self._accept
        else:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._listener.bind(str(path))
            self.target = f"syslog:{path}"
            work = self._receive
        threading.Thread(target=work, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close all connections, as a collector does that stops."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._connections.clear()

    def event_ids(self) -> Counter[str]:
        """How often each record came."""
        return Counter(json.loads(message[message.index("{") :])["eventID"] for message in self.messages)

    def _accept(self) -> None:
        try:
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()
        except OSError:
            return

    def _read(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while (length := _length(stream)) is not None:
                self.messages.append(stream.read(length).decode())

    def _receive(self) -> None:
        try:
            while True:
                self.messages.append(self._listener.recv(1 << 20).decode())
        except OSError:
            return


def _length(stream: Any) -> int | None:
    digits = b""
    while (byte := stream.read(1)) != b" ":
        if not byte:
            return None
        digits += byte
    return int(digits)
