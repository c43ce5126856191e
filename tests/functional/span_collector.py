"""A collector of spans: real HTTP, OTLP as it comes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Received(NamedTuple):
    """A span, and the attributes of the service that sent it."""

    span: Any
    attributes: dict[str, str | int]
    resource: dict[str, str | int]


class SpanCollector:
    """Takes spans at `url`; while it is `stuck` it answers nobody."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.bodies: list[bytes] = []
        self.go = threading.Event()
        self.go.set()

    def spans(self) -> list[Received]:
        """All spans so far."""
        return [
            Received(span, _plain(span.attributes), _plain(group.resource.attributes))
            for body in list(self.bodies)
            for group in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Received]:
        """Those of a name."""
        return [one for one in self.spans() if one.span.name == name]


def _plain(attributes: Any) -> dict[str, str | int]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def span_collector() -> Iterator[SpanCollector]:
    """A collector as long as a block takes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.go.wait()
            if self.path == "/v1/traces":
                collector.bodies.append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """The test output stays readable."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = SpanCollector(server)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield collector
        collector.go.set()
        server.shutdown()
        thread.join()
