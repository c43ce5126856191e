"""HTTP/1.1 requests from bytes, with limits on every size, over httptools (llhttp).

llhttp refuses what request smuggling lives on: both Content-Length and Transfer-Encoding, doubled Content-Length,
bare line feeds. What it leaves open is refused here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import httptools

from kms_server.config import Limits
from kms_server.protocol.message import Request, TlsDetails

_SINGLE = frozenset({"host", "authorization", "content-type", "x-amz-date", "x-amz-target"})


class Refused(Exception):
    """The bytes are no request we read; the connection ends with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Incoming:
    """A complete request, and whether the client keeps the connection."""

    request: Request
    keep_alive: bool


class HttpReader:
    """Parses one connection; calls `complete` for each request and `expects_continue` where a client waits."""

    def __init__(
        self,
        limits: Limits,
        source_ip: str,
        tls: TlsDetails | None,
        complete: Callable[[Incoming], None],
        expects_continue: Callable[[], None],
    ) -> None:
        self._limits = limits
        self._source_ip = source_ip
        self._tls = tls
        self._complete = complete
        self._expects_continue = expects_continue
        self._refusal: int | None = None
        self.in_message = False
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Parse what arrived.

        Raises:
            Refused: malformed, or over a limit.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise Refused(400) from None
        except httptools.HttpParserError:
            raise Refused(self._refusal or 400) from None

    def _refuse(self, status: int) -> None:
        self._refusal = status
        raise Refused(status)

    # The names below are httptools' callbacks.

    def on_message_begin(self) -> None:
        """A request begins."""
        self.in_message = True
        self._target = b""
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    def on_url(self, part: bytes) -> None:
        """A piece of the request target."""
        self._target += part
        if len(self._target) > self._limits.max_target_bytes:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line."""
        self._header_bytes += len(name) + len(value)
        if (
            self._header_bytes > self._limits.max_header_bytes
            or len(self._headers) >= self._limits.max_header_count
        ):
            self._refuse(431)
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key in self._headers:
            if key in _SINGLE:
                self._refuse(400)
            text = f"{self._headers[key]},{text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        """All headers are here."""
        if "host" not in self._headers and self._parser.get_http_version() == "1.1":
            self._refuse(400)
        length = self._headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:12]) > self._limits.max_body_bytes:
            self._refuse(413)
        if self._headers.get("expect", "").lower() == "100-continue":
            self._expects_continue()

    def on_body(self, part: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(part)
        if self._body_bytes > self._limits.max_body_bytes:
            self._refuse(413)
        self._body.append(part)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_message = False
        request = Request(
            self._parser.get_method().decode("ascii"), self._target.decode("latin-1"), self._headers,
            b"".join(self._body), self._source_ip, self._tls,
        )  # fmt: skip
        self._complete(Incoming(request, self._parser.should_keep_alive()))
