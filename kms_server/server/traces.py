"""Traces: what is told of calls to a collector that speaks OTLP over HTTP.

OpenTelemetry is imported only where traces are wanted: it is an extra.
"""

from importlib import import_module
from typing import NamedTuple, Protocol

from kms_server.errors import OperatorError
from kms_server.operations.access import KEY
from kms_server.operations.call import Call
from kms_server.protocol.message import Request, Response, StreamedResponse
from kms_server.server.call_kinds import Kind


class Told(NamedTuple):
    """Of a call the ARN of its key, as far as it was known, and the name of its fault's shape."""

    key: str | None = None
    error: str | None = None


NOTHING = Told()


class Traces(Protocol):
    """Has a span for each call. Neither waits for the collector; where that is slow or down, spans are dropped."""

    def note(
        self, request: Request, response: Response | StreamedResponse, kind: Kind, seconds: float, told: Told
    ) -> None:
        """A call was answered, `seconds` after it had arrived."""

    def close(self) -> None:
        """Send what is left, for as long as a short while allows."""


def told_of(call: Call) -> Told:
    """What a span tells of a call."""
    key = next((arn for kind, arn in call.resources if kind == KEY), None)
    return Told(key, call.fault.code if call.fault is not None else None)


def open_traces() -> Traces:
    """Spans as the OTEL_* variables say.

    Raises:
        OperatorError: the extra is not installed, or a variable cannot be meant.
    """
    try:
        made: Traces = import_module("kms_server.server.spans").Spans()
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise OperatorError("--traces needs OpenTelemetry: run `pip install 'kms-server[otel]'`") from None
    except ValueError as error:
        raise OperatorError(f"--traces: {error}: look at the variables OTEL_*") from None
    return made
