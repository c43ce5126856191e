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

Headers: TypeAlias = tuple[tuple[str, str], ...]

# Rendered once: what answers with the headers of every call have in common.
_COMMON = len(COMMON)
_STARTS = {
    status: line + "".join([f"{name}: {value}\r\n" for name, value in COMMON])
    for status, line in _STATUS_LINES.items()
}


class HttpWriter:
    """Renders answers; knows the time to the second."""

    def __init__(self) -> None:
        self._second = 0
        self._date = ""

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
        if headers[:_COMMON] == COMMON:
            head, headers = _STARTS[status], headers[_COMMON:]
        else:
            head = _STATUS_LINES[status]
        for name, value in headers:
            line = f"{name}: {value}"
            if "\n" in line or "\r" in line:
                raise ValueError("a header has a line break in it")
            head = f"{head}{line}\r\n"
        last = "\r\n" if keep_alive else "Connection: close\r\n\r\n"
        return f"{head}{length}{self._dated()}{last}".encode("latin-1")

    def _dated(self) -> str:
        """The Date header (RFC 9110 6.6.1), made once a second."""
        second = int(time.time())
        if self._second != second:
            self._date = time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n", time.gmtime(second))
            self._second = second
        return self._date


def refusal(status: int) -> Response:
    """The answer to bytes that never became a request."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return failure(RequestEntityTooLargeException())
    return Response(status, (), b"")
