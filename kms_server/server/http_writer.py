"""HTTP/1.1 answers as bytes."""

import time
from http import HTTPStatus
from typing import TypeAlias

from kms_server.errors import RequestEntityTooLargeException
from kms_server.protocol.faults import COMMON
from kms_server.protocol.message import Response, StreamedResponse
from kms_server.server.door_types import BODILESS, failure

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}

# Rendered once.
_REPEATED = frozenset(COMMON)

Headers: TypeAlias = tuple[tuple[str, str], ...]


class HttpWriter:
    """Renders answers; knows the time to the second."""

    def __init__(self) -> None:
        self._second = 0
        self._date = ""
        self._lines: dict[tuple[str, str], str] = {}

    def date(self) -> str:
        """The Date header's value (RFC 9110 6.6.1), made once a second."""
        second = int(time.time())
        if self._second != second:
            self._date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
            self._second = second
        return self._date

    def render(self, response: Response, *, keep_alive: bool, with_body: bool) -> bytes:
        """The bytes of an answer; a HEAD request's has the length of the body and no body.

        Raises:
            ValueError: as `render_head`.
        """
        body = response.body
        head = self._head(response.status, response.headers, f"Content-Length: {len(body)}\r\n", keep_alive)
        return head + body if with_body else head

    def render_head(self, response: StreamedResponse, *, keep_alive: bool) -> bytes:
        """The bytes of an answer before its body.

        Raises:
            ValueError: a header has a line break, or characters that no header has.
        """
        length = "" if response.status in BODILESS else f"Content-Length: {response.length}\r\n"
        return self._head(response.status, response.headers, length, keep_alive)

    def _head(self, status: int, headers: Headers, length: str, keep_alive: bool) -> bytes:  # noqa: FBT001 - the hot path
        known = self._lines.get
        lines = "".join([known(header) or self._line(header) for header in headers])
        last = "\r\n" if keep_alive else "Connection: close\r\n\r\n"
        return f"{_STATUS_LINES[status]}{lines}{length}Date: {self.date()}\r\n{last}".encode("latin-1")

    def _line(self, header: tuple[str, str]) -> str:
        name, value = header
        line = f"{name}: {value}"
        if "\n" in line or "\r" in line:
            raise ValueError("a header has a line break in it")
        line += "\r\n"
        if header in _REPEATED:
            self._lines[header] = line
        return line


def refusal(status: int) -> Response:
    """The answer to bytes that never became a request."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return failure(RequestEntityTooLargeException())
    return Response(status, (), b"")
