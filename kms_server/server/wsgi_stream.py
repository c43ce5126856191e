"""Streamed bodies under a WSGI server, both ways."""

import errno
import logging
from collections.abc import Iterator

from flask import Response
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_content_length, get_input_stream

from kms_server.protocol.message import ClientGone, StreamedResponse
from kms_server.server.door_types import BODILESS, parts_of, release

_LOG = logging.getLogger(__name__)


class WsgiBody:
    """The body of a request as the WSGI server hands it over; the server itself sees to 100 (Continue)."""

    def __init__(self, environ: dict[str, object]) -> None:
        self._stream = get_input_stream(environ)
        self._missing = get_content_length(environ) or 0
        self._left = False

    def leave(self) -> None:
        """The request has been answered: a thread that stayed behind must not read what its client sends next."""
        self._left = True

    def read(self, most: int) -> bytes:
        """The next bytes; see `Body`."""
        if self._left:
            raise ClientGone
        try:
            part = self._stream.read(most)
        except (OSError, HTTPException):
            raise ClientGone from None
        self._missing -= len(part)
        if not part and self._missing > 0:
            raise ClientGone
        return part


class _Exact(Response):
    """Sends the headers it was given, and no others."""

    def get_wsgi_headers(self, environ: dict[str, object]) -> Headers:  # noqa: ARG002 - werkzeug's signature
        return Headers(self.headers)


def streamed_response(answer: StreamedResponse, method: str) -> Response:
    """An answer whose parts are made while the WSGI server sends them."""
    written = _Exact(_unless_broken(parts_of(answer, method)), status=answer.status)
    written.headers = Headers(answer.headers)
    if answer.status not in BODILESS:
        written.headers.set("Content-Length", answer.length)
    written.call_on_close(lambda: release(answer))
    return written


def _unless_broken(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts; a failure ends the connection, by the one kind of error that servers do not write a traceback of."""
    try:
        yield from parts
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer must not seem whole
        _LOG.error("an answer broke off: %s", type(error).__name__)
        raise ConnectionResetError(errno.ECONNRESET, "the answer could not be completed") from None
