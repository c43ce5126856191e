"""Lets the event loop's door serve the Flask application's own routes."""

import io
import sys
from urllib.parse import unquote_to_bytes

from flask import Flask
from werkzeug.test import run_wsgi_app

from kms_server.errors import KMSInternalException
from kms_server.protocol.message import Request, Response
from kms_server.server.door_types import failure
from kms_server.server.pipeline import Outcome

_THE_DOORS = frozenset({"content-length", "connection", "transfer-encoding", "date"})


class WsgiBridge:
    """Answers a request by a WSGI application."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def answer(self, request: Request) -> Outcome:
        """Run the application in this thread; its answer has no audit record to wait for."""
        parts, status, headers = run_wsgi_app(self._app.wsgi_app, _environ(request), buffered=True)
        kept = tuple((name, value) for name, value in headers.items() if name.lower() not in _THE_DOORS)
        response = Response(int(status.split()[0]), kept, b"".join(parts))
        return Outcome(response, None, lambda: failure(KMSInternalException()))


def _environ(request: Request) -> dict[str, object]:
    """The request as PEP 3333 has it. HEAD becomes GET: the door leaves the body out and keeps its length."""
    environ: dict[str, object] = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in request.headers.items()
        if "_" not in name and name not in _THE_DOORS
    }
    return environ | {
        "REQUEST_METHOD": "GET" if request.method == "HEAD" else request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": request.target,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.source_ip,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if request.tls else "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
