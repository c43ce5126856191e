"""HTTP/1.1 answers as bytes."""

import time
from http import HTTPStatus

from kms_server.errors import RequestEntityTooLargeException
from kms_server.protocol.message import Response
from kms_server.server.door_types import failure

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class HttpWriter:
    """Renders answers; knows the time to the second."""

    def __init__(self) -> None:
        self._second = 0
        self._date = ""

    def date(self) -> str:
        """The Date header's value (RFC 9110 6.6.1), made once a second."""
        second = int(time.time())
        if self._second != second:
            self._date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
            self._second = second
        return self._date

    def render(self, response: Response, *, keep_alive: bool, with_body: bool) -> bytes:
        """The bytes of an answer; a HEAD request's has the length of the body and no body."""
        body = response.body
        lines = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
        last = "\r\n" if keep_alive else "Connection: close\r\n\r\n"
        head = f"{_STATUS_LINES[response.status]}{lines}Content-Length: {len(body)}\r\nDate: {self.date()}\r\n{last}"
        return head.encode("latin-1") + body if with_body else head.encode("latin-1")


def refusal(status: int) -> Response:
    """The answer to bytes that never became a request."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return failure(RequestEntityTooLargeException())
    return Response(status, (), b"")
