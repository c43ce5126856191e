"""Requests that arrive in one piece, as those of nearly every client do: read without a callback for each header.

llhttp judges every byte of them, as of all others; only that it accepts the whole as one message makes it safe to split
the head at its line ends, which llhttp lets stand nowhere else. What is out of the ordinary is left to `HttpReader`.
"""

import httptools

from kms_server.config import Limits
from kms_server.server import http_headers

_BEGINS = b"POST / HTTP/1.1\r\n"
_END = b"\r\n\r\n"


class WholeRequests:
    """Reads AWS JSON calls (`POST /` with a target) of one connection, or of many."""

    def __init__(self, limits: Limits) -> None:
        self._most_header_bytes = limits.max_header_bytes
        self._most_headers = limits.max_header_count
        self._most_body_bytes = limits.max_body_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._complete = 0

    def on_message_complete(self) -> None:
        """httptools' callback."""
        self._complete += 1

    def read(self, data: bytes) -> tuple[dict[str, str], bytes] | None:
        """Headers and body of a request that is all of `data`; None: it is not, or it is out of the ordinary."""
        if not data.startswith(_BEGINS):
            return None
        head, end, body = data.partition(_END)
        if not end or len(head) > self._most_header_bytes:
            return None
        headers = http_headers.of_call(head[17:].decode("latin-1"))
        if (
            headers is None
            or len(headers) > self._most_headers
            or headers.get("content-length") != str(len(body))
            or len(body) > self._most_body_bytes
        ):
            return None
        return (headers, body) if self._is_one(data) else None

    def _is_one(self, data: bytes) -> bool:
        """Whether llhttp takes it for one message."""
        self._complete = 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._complete = 0
        if self._complete != 1:
            self._parser = httptools.HttpRequestParser(self)
        return self._complete == 1
