"""Calls as OpenTelemetry's spans, exported in batches by a thread."""

import logging
import os
import threading
import time
from itertools import chain
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_HEADERS,
)
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.re import parse_env_headers
from opentelemetry.util.types import AttributeValue

from kms_server import __version__
from kms_server.errors import OperatorError
from kms_server.protocol.message import Request, Response, StreamedResponse
from kms_server.server.call_kinds import Kind, Result
from kms_server.server.logs import request_id_of
from kms_server.server.traces import Told

_LOG = logging.getLogger(__name__)
_SERVER_ERRORS = 500
_LAST_SECONDS = 2.0
_NO_RECORD = "KMSInternalException"  # what a call is answered with whose record could not be written


class Spans:
    """The spans of a worker; made in its process, since a thread does not outlive a fork.

    Where the collector is, whom it trusts, what is sampled and how much waits at most: OpenTelemetry's own variables say it.
    """

    def __init__(self) -> None:
        # Of a traceparent or tracestate that is malformed it warns each time, and quotes it: strangers would write the log.
        logging.getLogger("opentelemetry.trace").setLevel(logging.CRITICAL)
        # So it does with headers for the collector, which are credentials.
        logging.getLogger("opentelemetry.util.re").setLevel(logging.CRITICAL)
        _check_variables()
        name = OTELResourceDetector().detect().attributes.get(SERVICE_NAME, "kms-server")
        resource = Resource.create({SERVICE_NAME: name, SERVICE_VERSION: __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("kms_server", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def note(
        self, request: Request, response: Response | StreamedResponse, kind: Kind, seconds: float, told: Told
    ) -> None:
        """A call was answered, `seconds` after it had arrived."""
        try:
            self._send(request, response, kind, seconds, told)
        except Exception as error:  # noqa: BLE001 - whatever keeps a span from being made, the call has its answer
            _LOG.error("a span could not be made: %s", type(error).__name__)

    def close(self) -> None:
        """Send what is left; a collector that does not answer is left alone after two seconds."""
        last = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(_LAST_SECONDS)

    def _send(
        self, request: Request, response: Response | StreamedResponse, kind: Kind, seconds: float, told: Told
    ) -> None:
        headers = request.headers
        # A stranger says neither what a span belongs to nor whether it is sampled.
        is_told = "traceparent" in headers and kind.result is not Result.UNAUTHENTICATED
        context = self._propagator.extract(headers) if is_told else None
        ended = time.time_ns()
        span = self._tracer.start_span(
            f"{kind.service}/{kind.operation}", context, SpanKind.SERVER, _attributes(response, kind, told),
            start_time=ended - int(seconds * 1e9),
        )  # fmt: skip
        # The conventions: of a server's spans those are errors in which the server failed.
        if response.status >= _SERVER_ERRORS:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)


def _check_variables() -> None:
    """Refuse what the exporter would leave out or fail with, and quote in the log.

    Raises:
        OperatorError: a variable cannot be meant; its value may hold credentials and is not told.
    """
    for name in (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT):
        if not _is_http(os.environ.get(name) or "http://localhost"):
            raise OperatorError(f"--traces: {name} is no URL that begins with http:// or https://")
    for name in (OTEL_EXPORTER_OTLP_TRACES_HEADERS, OTEL_EXPORTER_OTLP_HEADERS):
        for pair in filter(None, map(str.strip, os.environ.get(name, "").split(","))):
            told = parse_env_headers(pair, liberal=True)
            if not told or not all(one.isascii() and one.isprintable() for one in chain(*told.items())):
                raise OperatorError(f"--traces: {name} is not NAME=VALUE,NAME=VALUE with values as in URLs")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _attributes(response: Response | StreamedResponse, kind: Kind, told: Told) -> dict[str, AttributeValue]:
    """By the semantic conventions; nothing of what a call sent, but for the key that it named."""
    found: dict[str, AttributeValue] = {
        "rpc.system": "aws-api",
        "rpc.service": kind.service,
        "rpc.method": kind.operation,
        "http.response.status_code": response.status,
    }
    request_id = request_id_of(response)
    if request_id is not None:
        found["aws.request_id"] = request_id
    if told.key is not None:
        found["kms_server.key_arn"] = told.key
    error = told.error or (_NO_RECORD if kind.result is Result.FAILED else None)
    if error is not None:
        found["error.type"] = error
    return found
