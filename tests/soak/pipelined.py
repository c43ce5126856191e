"""Raw signed calls, many on their way at a time on one connection."""

import base64
import json
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.functional.raw_calls import signed
from tests.functional.server_process import Access
from tests.soak.calls import ROOT, Caller, Outcome, kind_of
from tests.soak.ledger import UNANSWERED, Called

_BLOBS = ("Plaintext", "CiphertextBlob", "Message", "Mac", "Signature")


def as_json(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a stock client as the wire has them."""
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in parameters.items()
    }


class Pipe:
    """One connection; answers come in the order of the calls."""

    def __init__(self, access: Access) -> None:
        parts = urlsplit(access.url)
        assert parts.hostname is not None
        self._access = access
        self._link = socket.create_connection((parts.hostname, parts.port or 80), timeout=30)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._held = b""

    def send(self, calls: list[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Send calls: marker, operation and parameters of each."""
        self._link.sendall(b"".join(
            signed(self._access, operation, as_json(parameters), user_agent=marker)
            for marker, operation, parameters in calls
        ))  # fmt: skip

    def receive(self) -> tuple[int, str, dict[str, Any]]:
        """The next answer: its status, request id and document, whose blobs are bytes.

        Raises:
            OSError: there will be none.
        """
        while b"\r\n\r\n" not in self._held:
            self._read()
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers["content-length"])
        while len(self._held) < length:
            self._read()
        body, self._held = self._held[:length], self._held[length:]
        document = json.loads(body or b"{}")
        for name in _BLOBS:
            if name in document:
                document[name] = base64.b64decode(document[name])
        return int(status.split()[1]), headers["x-amzn-requestid"], document

    def _read(self) -> None:
        data = self._link.recv(1 << 18)
        if not data:
            raise ConnectionResetError("the server closed")
        self._held += data

    def close(self) -> None:
        """Let the connection go."""
        self._link.close()


class Burst:
    """Calls of a client on a connection of their own to one server, noted like its others."""

    def __init__(self, caller: Caller, server: int, who: str = ROOT, *, limited: bool = False) -> None:
        self.server = server
        self._caller = caller
        self._limited = limited
        self._sent: deque[tuple[str, str, float]] = deque()
        self._pipe: Pipe | None = None
        self._lost = ""
        self._linked = time.monotonic()
        try:
            self._pipe = Pipe(caller.accesses[who][server])
        except OSError as error:
            self._lost = type(error).__name__

    def send(self, operation: str, parameters: Mapping[str, Any], times: int) -> None:
        """Send a call so many times without waiting; nothing where there is no connection."""
        if self._pipe is None or self._lost:
            return
        calls = [(self._caller.next_marker(), operation, parameters) for _ in range(times)]
        now = time.monotonic()
        self._sent.extend((marker, operation, now) for marker, _, _ in calls)
        try:
            self._pipe.send(calls)
        except OSError as error:
            self._lost = type(error).__name__

    def outcomes(self) -> Iterator[Outcome]:
        """What came of all that was sent and is not told yet, in order."""
        while self._sent:
            marker, operation, sent = self._sent.popleft()
            outcome = self._next(marker, operation, sent)
            self._caller.note(outcome.called)
            yield outcome

    def _next(self, marker: str, operation: str, sent: float) -> Outcome:
        kind, code, status, request_id = UNANSWERED, self._lost, 0, ""
        document: dict[str, Any] = {}
        if self._pipe is not None and not self._lost:
            try:
                status, request_id, document = self._pipe.receive()
                kind, code = kind_of(status), document.get("__type", "")
                self._linked = sent
            except OSError as error:
                self._lost = code = type(error).__name__
        called = Called(marker, operation, self.server, self._linked, sent, time.monotonic(), kind, code, status, request_id,
                        limited=self._limited)  # fmt: skip
        return Outcome(called, document)

    def close(self) -> None:
        """Let the connection go."""
        if self._pipe is not None:
            self._pipe.close()
