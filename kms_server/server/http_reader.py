"""HTTP/1.1 requests from bytes, with limits on every size, over httptools (llhttp).

llhttp in its strict mode refuses what request smuggling lives on: Content-Length beside Transfer-Encoding, either of
them doubled, bare line feeds, folded lines, sizes that are no plain numbers. What it leaves open is refused here.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import httptools
from msgspec import Struct

from kms_server.config import Limits
from kms_server.protocol.message import Request, TlsDetails
from kms_server.server import http_headers
from kms_server.server.entrance import Entrance, Origin
from kms_server.server.incoming_body import IncomingBody
from kms_server.server.whole_request import WholeRequests

_BODY_HEADERS = frozenset({"content-length", "transfer-encoding", "expect"})
# A read is parsed in pieces, so that one read cannot queue many more requests than the limit.
_PIECE_BYTES = 16_384
# Of a claimed body more at a time; one with a Content-Length as much as there is.
_CHUNKED_PIECE_BYTES = 65_536
# Chunks of one byte cost six bytes each; more than that is chunk extensions or trailers, which carry nothing.
_CHUNK_OVERHEAD = 6


class _Refused(Exception):
    """Stops llhttp; the status travels beside it, because llhttp wraps what a callback raises."""


class Incoming(Struct, frozen=True):
    """A request, and whether the client keeps the connection. A claimed one may be complete but for its body."""

    request: Request
    keep_alive: bool
    body: IncomingBody | None = None


class HttpReader:
    """Parses the bytes of one connection.

    `refusal` is the HTTP status with which the connection must end, once the requests before are answered.
    `in_message` and `in_body` say how far the request being read is, `began` when it began (monotonic seconds), and
    `awaits_continue` that its client waits for a 100 before it sends the body. A request that `claims` says yes to is
    handed over when its head is complete; `streamed` is its body as long as that is being received, `in_message` and
    `in_body` hold for it too. `proxied` has the rules for what a trusted peer says of the origin of its requests.
    """

    def __init__(
        self, limits: Limits, source_ip: str, tls: TlsDetails | None, *,
        claims: Callable[[Request], bool] | None = None, proxied: Entrance | None = None,
    ) -> None:  # fmt: skip
        self._limits = limits
        self._peer = Origin(source_ip, tls)
        self._claims = claims
        self._proxied = proxied
        self._parser = httptools.HttpRequestParser(self)
        self._whole = WholeRequests(limits)
        self._requests: deque[Incoming] = deque()
        self._unread = b""
        self._wire_bytes = self._idle_bytes = 0
        self.refusal: int | None = None
        self.in_message = False
        self.in_body = False
        self.awaits_continue = False
        self.streamed: IncomingBody | None = None
        self.began = 0.0

    @property
    def full(self) -> bool:
        """Whether the client is so far ahead of its answers that nothing more should be read from it."""
        if self.streamed is not None:
            return self.streamed.full
        if self._unread or not self._requests:
            return bool(self._unread)
        limits, waiting = self._limits, self._requests
        return len(waiting) >= limits.max_pipelined or (
            sum(len(incoming.request.body) for incoming in waiting) > limits.max_body_bytes
        )

    @property
    def is_behind(self) -> bool:
        """Whether anything that has arrived, or should, needs a look."""
        return bool(self._requests or self._unread or self.in_message) or self.refusal is not None

    @property
    def waiting(self) -> bool:
        """Whether a request or a refusal waits for its turn."""
        return bool(self._requests) or self.refusal is not None

    def receive(self, data: bytes) -> None:
        """Take what arrived; after a refusal it is thrown away."""
        if self.refusal is not None:
            return
        if not (self._unread or self.in_message or self._requests) and self._take_whole(data):
            return
        self._unread = self._unread + data if self._unread else data
        self._parse()

    def _take_whole(self, data: bytes) -> bool:
        whole = self._whole.read(data)
        if whole is None:
            return False
        headers, body = whole
        source_ip, tls = self._peer if self._proxied is None else self._proxied.origin(self._peer, headers)
        self._requests.append(Incoming(Request("POST", "/", headers, body, source_ip, tls), keep_alive=True))
        return True

    def take(self) -> Incoming | None:
        """The next complete request."""
        if not self._requests and self._unread:
            self._parse()
        return self._requests.popleft() if self._requests else None

    def give_up(self, status: int) -> None:
        """Refuse whatever is being received."""
        self.refusal = self.refusal or status
        self._unread = b""
        self.cut_off()

    def cut_off(self) -> None:
        """Nothing more will come."""
        if self.streamed is not None:
            self.streamed.fail()

    def _parse(self) -> None:
        data, at, most = self._unread, 0, self._limits.max_pipelined
        try:
            # The thread that reads a claimed body waits for it, however many requests stand before.
            while at < len(data) and (self.streamed is not None or len(self._requests) < most):
                body = self.streamed
                piece = data[at : at + _PIECE_BYTES] if body is None else self._piece(body, data, at)
                at += len(piece)
                self._feed(piece)
        except (_Refused, httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.give_up(400)
        else:
            self._unread = data[at:]

    @staticmethod
    def _piece(body: IncomingBody, data: bytes, at: int) -> memoryview:
        return memoryview(data)[at : at + (body.to_come or _CHUNKED_PIECE_BYTES)]

    def _feed(self, data: bytes | memoryview) -> None:
        self._piece_bytes = len(data)
        self._parser.feed_data(data)
        if not self.in_message:
            return
        # The callbacks see neither an unfinished header nor chunk extensions. A piece may hold older requests too.
        count = min(self._piece_bytes, _PIECE_BYTES)
        self._wire_bytes += count
        self._idle_bytes += count
        limits = self._limits
        allowed = limits.max_header_bytes + limits.max_target_bytes + _PIECE_BYTES
        if self._idle_bytes > allowed:
            self._refuse(413 if self.in_body else 431)
        if self.streamed is None and self._wire_bytes > allowed + _CHUNK_OVERHEAD * limits.max_body_bytes:
            self._refuse(413)

    def _refuse(self, status: int) -> NoReturn:
        self.refusal = status
        raise _Refused

    # The names below are httptools' callbacks.

    def on_message_begin(self) -> None:
        """A request begins."""
        self.in_message = True
        self.began = time.monotonic()
        self._wire_bytes = self._idle_bytes = 0
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
        lines, limits = self._lines, self._limits
        # Counted only where the bytes that have arrived could hold too many.
        if (
            self._wire_bytes + self._piece_bytes > limits.max_header_bytes
            or len(lines) > limits.max_header_count
        ):
            self._check_size(lines)
        try:
            self._headers = headers = http_headers.named(lines)
        except ValueError:
            self._refuse(400)
        version = self._parser.get_http_version()
        self._is_1_1 = version == "1.1"
        if not self._is_1_1 and version != "1.0":
            self._refuse(505)
        if not http_headers.is_host(headers.get("host", None if self._is_1_1 else "")):
            self._refuse(400)
        if b"#" in self._target or not (self._target.startswith(b"/") or self._target == b"*"):
            # The absolute form names a second authority beside Host, and some readers drop a fragment.
            self._refuse(400)
        if self._parser.should_upgrade():
            self._refuse(400)  # llhttp would take the body of an upgrade for other bytes
        if not _BODY_HEADERS.isdisjoint(headers):
            self._check_body_headers(headers)
        # Nearly every call is AWS JSON, which nobody claims: then the request need not be made yet.
        if (
            self._claims is not None
            and "x-amz-target" not in headers
            and self._claims(self._incoming().request)
        ):
            self._hand_over(headers)
        elif int(headers.get("content-length", "0")) > self._limits.max_body_bytes:
            self._refuse(413)

    def _hand_over(self, headers: dict[str, str]) -> None:
        length = None if "transfer-encoding" in headers else int(headers.get("content-length", "0"))
        self.streamed = IncomingBody(length, awaits_continue=self.awaits_continue)
        self.awaits_continue = False
        self._requests.append(self._incoming(self.streamed))

    def _check_body_headers(self, headers: dict[str, str]) -> None:
        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            self._refuse(400)
        if "transfer-encoding" in headers and not self._is_1_1:
            self._refuse(400)
        if "expect" in headers:
            if headers["expect"].lower() != "100-continue":
                self._refuse(417)
            self.awaits_continue = self._is_1_1

    def _check_size(self, lines: list[tuple[bytes, bytes]]) -> None:
        limits = self._limits
        if len(lines) > limits.max_header_count or http_headers.size(lines) > limits.max_header_bytes:
            self._refuse(431)

    def on_body(self, part: bytes) -> None:
        """A piece of the body."""
        # Extensions and trailers do not bring the body on, and httptools copies a line anew for each of its pieces.
        self._idle_bytes = -self._piece_bytes
        if self.streamed is not None:
            self.streamed.feed(part)
            return
        self.awaits_continue = False
        self._body += part
        if len(self._body) > self._limits.max_body_bytes:
            self._refuse(413)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_message = self.in_body = self.awaits_continue = False
        if self.streamed is not None:
            self.streamed.finish()
            self.streamed = None
        else:
            self._requests.append(self._incoming())

    def _incoming(self, body: IncomingBody | None = None) -> Incoming:
        parser, headers = self._parser, self._headers
        source_ip, tls = self._peer if self._proxied is None else self._proxied.origin(self._peer, headers)
        request = Request(
            parser.get_method().decode("ascii"), self._target.decode("latin-1"), headers,
            bytes(self._body), source_ip, tls, body,
        )  # fmt: skip
        # HTTP/1.0 has keep-alive only by an extension that answers do not offer.
        return Incoming(request, self._is_1_1 and parser.should_keep_alive(), body)
