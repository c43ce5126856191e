"""The Flask application: every route, under any WSGI server."""

import logging
from functools import partial

from flask import Flask, Response, jsonify, request
from msgspec import structs
from werkzeug.exceptions import Forbidden, HTTPException, RequestEntityTooLarge

from kms_server.audit.group_commit import wait
from kms_server.config import Limits
from kms_server.errors import KMSInternalException, RequestEntityTooLargeException, ServiceError
from kms_server.operations.openapi import openapi_text
from kms_server.protocol import message
from kms_server.server.door_types import (
    OWN_PATHS,
    Answerer,
    AnyResponse,
    StreamAnswerer,
    broken,
    failure,
    for_web_page,
    is_claimed,
    plain_http,
)
from kms_server.server.entrance import OPEN, Entrance, Origin
from kms_server.server.health import Health, Report
from kms_server.server.metrics import Metrics
from kms_server.server.pipeline import handle
from kms_server.server.threads import Threads
from kms_server.server.wsgi_stream import WsgiBody, streamed_response
from kms_server.storage.waits import Waits

_LOG = logging.getLogger(__name__)


def create_app(
    pipeline: Answerer, health: Health, limits: Limits, streams: StreamAnswerer | None = None,
    entrance: Entrance = OPEN, waits: Waits | None = None, metrics: Metrics | None = None,
) -> Flask:  # fmt: skip
    """Every path but those under /_kms/ goes through the pipeline, or to `streams`, whatever its method.

    `waits` are those of the database whose calls are answered. Without `metrics` nobody may read any.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = limits.max_body_bytes

    app.register_error_handler(Exception, _failed)
    waits = waits or Waits()
    threads = Threads(limits.cold_threads, "cold", waits)
    stream_threads = Threads(limits.stream_threads, "stream", waits)

    @app.before_request
    def call() -> Response | None:
        # Before Flask looks at routes: it would redirect some paths and refuse some methods.
        if _target().startswith(OWN_PATHS):
            return None
        arrived = _head(entrance)
        claimed = is_claimed(streams, arrived)
        body = WsgiBody(request.environ) if claimed else None
        arrived = structs.replace(arrived, stream=body)
        if entrance.refuses(arrived):
            return _written(_shared(plain_http(arrived)))
        if streams is not None and body is not None:
            return _streamed(streams, arrived, body, stream_threads)
        return _answer(pipeline, limits, structs.replace(arrived, body=request.get_data()), threads)

    @app.get("/_kms/health")
    def live() -> Response:
        return jsonify(status="ok")

    @app.get("/_kms/ready")
    def ready() -> tuple[Response, int]:
        return _readiness(health.report())

    @app.get("/_kms/metrics")
    def measured() -> Response:
        if metrics is None or not metrics.is_open_to(_head(entrance)):
            raise Forbidden
        body, content_type = metrics.page(request.headers.get("Accept", ""))
        return Response(body, content_type=content_type)

    @app.get("/_kms/openapi.yaml")
    def openapi() -> Response:
        return Response(openapi_text(), content_type="application/yaml")

    return app


def _readiness(found: Report) -> tuple[Response, int]:
    status, code = ("not ready", 503) if found.problems else ("ready", 200)
    told = {"problems": found.problems, "warnings": found.warnings, "checks": found.entries()}
    return jsonify(status=status, **told), code


def _answer(pipeline: Answerer, limits: Limits, arrived: message.Request, threads: Threads) -> Response:
    """In a thread of its own: this one must answer also when the storage keeps that."""
    try:
        outcome = threads.run(partial(handle, pipeline.stages, arrived))
    except KMSInternalException:
        _LOG.error("a call was refused: the storage does not answer")
        return _written(_shared(broken(arrived)))
    if outcome.ticket is not None:
        try:
            wait(outcome.ticket, limits.audit_deadline)
        except ServiceError:
            return _written(_shared(outcome.unaudited()))
    return _written(_shared(outcome.response))


def _streamed(
    streams: StreamAnswerer, arrived: message.Request, body: WsgiBody, threads: Threads
) -> Response:
    try:
        answer = threads.run(partial(streams.answer, arrived))
    except message.ClientGone:
        return _written(message.Response(408, (), b""))
    except Exception as error:  # noqa: BLE001 - the last resort: no input may get a traceback
        body.leave()
        _LOG.error("a request failed: %s", type(error).__name__)
        return _written(_shared(broken(arrived)))
    return streamed_response(_shared(answer), arrived.method)


def _failed(error: Exception) -> Response | tuple[Response, int]:
    if isinstance(error, RequestEntityTooLarge):
        return _written(failure(RequestEntityTooLargeException()))
    if isinstance(error, HTTPException):
        return jsonify(status=error.name.lower()), error.code or 500
    # The type and no more: a traceback may quote a secret.
    _LOG.error("a request failed: %s", type(error).__name__)
    return _written(_shared(broken(_head(OPEN))))


def _target() -> str:
    """The request target as it was received, where the WSGI server tells it."""
    environ = request.environ
    raw: str | None = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return raw or request.full_path.removesuffix("?")


def _head(entrance: Entrance) -> message.Request:
    """The request without its body, which has not been read."""
    environ = request.environ
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    tls = None
    if environ["wsgi.url_scheme"] == "https":
        tls = message.TlsDetails(environ.get("SSL_PROTOCOL", ""), environ.get("SSL_CIPHER", ""))
    origin = Origin(request.remote_addr or "", tls)
    if entrance.trusts(origin.source_ip):
        origin = entrance.origin(origin, headers)
    return message.Request(request.method, _target(), headers, b"", *origin)


def _shared(response: AnyResponse) -> AnyResponse:
    return for_web_page(request.method, _target(), response) if "Origin" in request.headers else response


def _written(response: message.Response) -> Response:
    written = Response(response.body, status=response.status)
    # Not even Flask's default content type: an answer has the headers that the pipeline gave it.
    written.headers.clear()
    for name, value in response.headers:
        written.headers.add(name, value)
    return written
