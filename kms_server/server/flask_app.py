"""The Flask application: every route, under any WSGI server."""

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from kms_server.audit.group_commit import wait
from kms_server.config import Limits
from kms_server.errors import RequestEntityTooLargeException, ServiceError
from kms_server.operations.openapi import openapi_text
from kms_server.protocol import faults, message
from kms_server.server.health import Health
from kms_server.server.pipeline import Pipeline

_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


def create_app(pipeline: Pipeline, health: Health, limits: Limits) -> Flask:
    """Every path but those under /_kms/ goes through the pipeline."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = limits.max_body_bytes

    @app.get("/_kms/health")
    def live() -> Response:
        return jsonify(status="ok")

    @app.get("/_kms/ready")
    def ready() -> tuple[Response, int]:
        problems = health.problems()
        return jsonify(
            status="ready" if not problems else "not ready", problems=problems
        ), 503 if problems else 200

    @app.get("/_kms/openapi.yaml")
    def openapi() -> Response:
        return Response(openapi_text(), content_type="application/yaml")

    @app.route("/", methods=_METHODS, provide_automatic_options=False)
    @app.route("/<path:_path>", methods=_METHODS, provide_automatic_options=False)
    def call(_path: str = "") -> Response:
        if request.path.startswith("/_kms/"):
            return Response(status=404)
        outcome = pipeline.handle(_read(), may_block=True)
        if outcome.ticket is None:
            return _written(outcome.response)
        try:
            wait(outcome.ticket, limits.audit_deadline)
        except ServiceError:
            return _written(outcome.unaudited())
        return _written(outcome.response)

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_error: RequestEntityTooLarge) -> Response:
        return _written(faults.fault(RequestEntityTooLargeException(), ""))

    return app


def _read() -> message.Request:
    raw = (
        request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path.rstrip("?")
    )
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    return message.Request(request.method, raw, headers, request.get_data(), request.remote_addr or "")


def _written(response: message.Response) -> Response:
    return Response(response.body, status=response.status, headers=list(response.headers))
