"""Lets the event loop's door serve the Flask application's own routes."""

from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from kms_server.errors import KMSInternalException
from kms_server.protocol import faults
from kms_server.protocol.message import Request, Response
from kms_server.server.pipeline import Outcome

_HOP_BY_HOP = frozenset({"content-length", "connection", "transfer-encoding", "date"})


class WsgiBridge:
    """Answers a request by a WSGI application."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def answer(self, request: Request) -> Outcome:
        """Run the application in this thread."""
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
        builder = EnvironBuilder(
            path=request.path, query_string=request.query, method=request.method, headers=headers, data=request.body,
            environ_base={"REMOTE_ADDR": request.source_ip},
        )  # fmt: skip
        try:
            body, status, answered = run_wsgi_app(self._app.wsgi_app, builder.get_environ(), buffered=True)
        finally:
            builder.close()
        kept = tuple((name, value) for name, value in answered.items() if name.lower() not in _HOP_BY_HOP)
        response = Response(int(status.split()[0]), kept, b"".join(body))
        return Outcome(response, None, lambda: faults.fault(KMSInternalException(), ""))
