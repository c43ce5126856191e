"""HTTP/1.1 requests from bytes, with limits on every size, over httptools (llhttp).

llhttp in its strict mode refuses what request smuggling lives on: Content-Length beside Transfer-Encoding, either of
them doubled, bare line feeds, folded lines, sizes that are no plain numbers. What it leaves open is refused here.
"""

import time
from collections import deque
from typing import NamedTuple, NoReturn

import httptools

from kms_server.config import Limits
from kms_server.protocol.message import Request, TlsDetails

# A second one of these would let two readers of one request disagree on what it says.
_SINGLE = frozenset(
    {"host", "authorization", "content-length", "transfer-encoding", "content-type", "expect", "x-amz-date", "x-amz-target"}
)  # fmt: skip
# What nearly every AWS client sends; other names take the long way.
_KNOWN = {
    name: name.decode().lower()
    for title in (
        b"Host", b"Content-Type", b"Content-Length", b"User-Agent", b"Accept-Encoding", b"Authorization",
        b"X-Amz-Target", b"X-Amz-Date", b"X-Amz-Content-SHA256", b"X-Amz-Security-Token", b"Connection",
        b"amz-sdk-invocation-id", b"amz-sdk-request",
    )
    for name in (title, title.lower())
}  # fmt: skip
_BODY_HEADERS = frozenset({"content-length", "transfer-encoding", "expect"})
# A read is parsed in pieces, so that one read cannot queue many more requests than the limit.
_PIECE_BYTES = 16_384
# Chunks of one byte cost six bytes each; more than that is chunk extensions or trailers, which carry nothing.
_CHUNK_OVERHEAD = 6


class _Refused(Exception):
    """Stops llhttp; the status travels beside it, because llhttp wraps what a callback raises."""


class Incoming(NamedTuple):
    """A complete request, and whether the client keeps the connection."""

    request: Request
    keep_alive: bool


class HttpReader:
    """Parses the bytes of one connection.

    `refusal` is the HTTP status with which the connection must end, once the requests before are answered.
    `in_message` and `in_body` say how far the request being read is, `began` when it began (monotonic seconds), and
    `awaits_continue` that its client waits for a 100 before it sends the body.
    """

    def __init__(self, limits: Limits, source_ip: str, tls: TlsDetails | None) -> None:
        self._limits = limits
        self._source_ip = source_ip
        self._tls = tls
        self._parser = httptools.HttpRequestParser(self)
        self._requests: deque[Incoming] = deque()
        self._unread = b""
        self._wire_bytes = 0
        self.refusal: int | None = None
        self.in_message = False
        self.in_body = False
        self.awaits_continue = False
        self.began = 0.0

    @property
    def full(self) -> bool:
        """Whether the client is so far ahead of its answers that nothing more should be read from it."""
        return bool(self._unread) or len(self._requests) >= self._limits.max_pipelined

    @property
    def waiting(self) -> bool:
        """Whether a request or a refusal waits for its turn."""
        return bool(self._requests) or self.refusal is not None

    def receive(self, data: bytes) -> None:
        """Take what arrived; after a refusal it is thrown away."""
        if self.refusal is None:
            self._unread = self._unread + data if self._unread else data
            self._parse()

    def take(self) -> Incoming | None:
        """The next complete request."""
        if not self._requests and self._unread:
            self._parse()
        return self._requests.popleft() if self._requests else None

    def _parse(self) -> None:
        data = self._unread
        try:
            while data and len(self._requests) < self._limits.max_pipelined:
                self._feed(data[:_PIECE_BYTES])
                data = data[_PIECE_BYTES:]
        except (_Refused, httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.refusal = self.refusal or 400
            data = b""
        self._unread = data

    def _feed(self, data: bytes) -> None:
        self._piece_bytes = len(data)
        self._parser.feed_data(data)
        if not self.in_message:
            return
        # The callbacks see neither an unfinished header nor chunk extensions. A piece may hold older requests too.
        self._wire_bytes += self._piece_bytes
        limits = self._limits
        allowed = limits.max_header_bytes + limits.max_target_bytes + _PIECE_BYTES
        if self.in_body:
            allowed += _CHUNK_OVERHEAD * limits.max_body_bytes
        if self._wire_bytes > allowed:
            self._refuse(413 if self.in_body else 431)

    def _refuse(self, status: int) -> NoReturn:
        self.refusal = status
        raise _Refused

    # The names below are httptools' callbacks.

    def on_message_begin(self) -> None:
        """A request begins."""
        self.in_message = True
        self.began = time.monotonic()
        self._wire_bytes = 0
        self._target = b""
        self._headers: dict[str, str] = {}
        self._lines: list[tuple[bytes, bytes]] = []
        self._body = bytearray()

    def on_url(self, part: bytes) -> None:
        """A piece of the request target."""
        self._target += part
        if len(self._target) > self._limits.max_target_bytes:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line, or a trailer after the body; trailers are dropped (RFC 9110 6.5.1)."""
        if not self.in_body:
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """All headers are here."""
        self.in_body = True
        self._headers = headers = self._named(self._lines)
        version = self._parser.get_http_version()
        self._is_1_1 = version == "1.1"
        if not self._is_1_1 and version != "1.0":
            self._refuse(505)
        if "host" not in headers and self._is_1_1:
            self._refuse(400)
        if not self._target.startswith(b"/") and self._target != b"*":
            self._refuse(400)  # absolute form names a second authority beside Host
        if self._parser.should_upgrade():
            self._refuse(400)  # llhttp would take the body of an upgrade for other bytes
        if not _BODY_HEADERS.isdisjoint(headers):
            self._check_body_headers(headers)

    def _check_body_headers(self, headers: dict[str, str]) -> None:
        if int(headers.get("content-length", "0")) > self._limits.max_body_bytes:
            self._refuse(413)
        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            self._refuse(400)
        if "transfer-encoding" in headers and not self._is_1_1:
            self._refuse(400)
        if "expect" in headers:
            if headers["expect"].lower() != "100-continue":
                self._refuse(417)
            self.awaits_continue = self._is_1_1

    def _named(self, lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
        """Headers by lower-case name; repeated ones are joined in the order of arrival (RFC 9110 5.3)."""
        limits = self._limits
        if len(lines) > limits.max_header_count:
            self._refuse(431)
        # Counted only where the bytes that have arrived could hold too many.
        arrived = self._wire_bytes + self._piece_bytes
        if arrived > limits.max_header_bytes and _size(lines) > limits.max_header_bytes:
            self._refuse(431)
        headers = {
            _KNOWN.get(name) or name.decode("latin-1").lower(): value.decode("latin-1").rstrip(" \t")
            for name, value in lines
        }
        return headers if len(headers) == len(lines) else self._joined(lines)

    def _joined(self, lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for name, value in lines:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
            if key in headers:
                if key in _SINGLE:
                    self._refuse(400)
                text = f"{headers[key]},{text}"
            headers[key] = text
        return headers

    def on_body(self, part: bytes) -> None:
        """A piece of the body."""
        self.awaits_continue = False
        self._body += part
        if len(self._body) > self._limits.max_body_bytes:
            self._refuse(413)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_message = self.in_body = self.awaits_continue = False
        parser = self._parser
        request = Request(
            parser.get_method().decode("ascii"), self._target.decode("latin-1"), self._headers,
            bytes(self._body), self._source_ip, self._tls,
        )  # fmt: skip
        # HTTP/1.0 has keep-alive only by an extension that answers do not offer.
        keep_alive = self._is_1_1 and parser.should_keep_alive()
        self._requests.append(Incoming(request, keep_alive))


def _size(lines: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in lines)
