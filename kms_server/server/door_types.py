"""What both doors share: who answers their calls, what is theirs alone, how they fail."""

import uuid
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from msgspec import structs

from kms_server.errors import AccessDeniedException, KMSInternalException, ServiceError
from kms_server.protocol import faults, front_door
from kms_server.protocol.message import Request, Response, StreamedResponse
from kms_server.s3.errors import AccessDenied, InternalError, S3Error
from kms_server.s3.wire import xml_writer
from kms_server.server import wires
from kms_server.server.pipeline import Stage

# Raw request targets below this prefix are the server's own and never reach the pipeline.
OWN_PATHS = "/_kms/"
# Answers with these statuses have no body, and no Content-Length either.
BODILESS = frozenset({204, 304})
AnyResponse = TypeVar("AnyResponse", Response, StreamedResponse)
_PLAIN_HTTP = "This service accepts no requests over plain HTTP."


class Answerer(Protocol):
    """Answers requests in stages; `server.pipeline.Pipeline` is the one that serves."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The way from an Arrival to an Outcome."""

    @property
    def turn(self) -> AbstractContextManager[None]:
        """Within it one thread takes many Arrivals, which may not block, through all stages before the first is answered."""


class StreamAnswerer(Protocol):
    """Answers requests whose bodies do not pass through memory as a whole."""

    def claims(self, request: Request) -> bool:
        """Whether a request is answered here, by its method, target and headers; its body has not been read.

        Cheap, and never raises: it runs in the event loop.
        """

    def answer(self, request: Request) -> StreamedResponse:
        """The answer to a claimed request; runs in a thread and may wait. `request.stream` is the body.

        Raises:
            ClientGone: the body ended too soon.
        """


def is_claimed(streams: StreamAnswerer | None, request: Request) -> bool:
    """Whether a request is for `streams`; our own paths and AWS JSON calls never are."""
    if streams is None or "x-amz-target" in request.headers or request.target.startswith(OWN_PATHS):
        return False
    return streams.claims(request)


def parts_of(response: StreamedResponse, method: str) -> Iterator[bytes]:
    """The parts of an answer that are sent.

    Raises:
        ValueError: they are not as long as the answer says.
    """
    if method == "HEAD" or response.status in BODILESS:
        return
    missing = response.length
    for part in response.parts:
        missing -= len(part)
        if missing < 0:
            break
        if part:
            yield part
    if missing:
        raise ValueError("the parts do not have the length of the answer")


def release(response: StreamedResponse) -> None:
    """Have the maker of an answer's parts let go of what it holds, also where not all of them were made."""
    if isinstance(response.parts, Generator):
        response.parts.close()


def failure(error: ServiceError, request: Request | None = None) -> Response:
    """The answer to a request that fails in the door itself, in its own protocol where it got that far."""
    wire = wires.asked(request) if request else None
    request_id = str(uuid.uuid4())
    return wire.fault(error, None, request_id) if wire else faults.fault(error, None, request_id)


def broken(request: Request | None) -> Response:
    """The answer to a request that fails by our own fault."""
    if request is not None and request.stream is not None:
        return _s3_failure(InternalError())
    return failure(KMSInternalException(), request)


def plain_http(request: Request) -> Response:
    """The answer to a request that should have come by TLS."""
    if request.stream is not None:
        return _s3_failure(AccessDenied(_PLAIN_HTTP))
    return structs.replace(failure(AccessDeniedException(_PLAIN_HTTP), request), status=AccessDenied.status)


def _s3_failure(error: S3Error) -> Response:
    request_id = str(uuid.uuid4())
    body = {"Code": error.code, "Message": error.message, "RequestId": request_id}
    headers = (("Content-Type", xml_writer.CONTENT_TYPE), ("x-amz-request-id", request_id))
    return Response(error.status, headers, xml_writer.document("Error", body, namespace=None))


def for_web_page(method: str, target: str, response: AnyResponse) -> AnyResponse:
    """The answer to a request with an Origin: a web page may read it (CORS), but for those of our own paths.

    An answer that says itself who may read it stays as it is.
    """
    if method == "OPTIONS" or target.startswith(OWN_PATHS):
        return response
    if any(name.lower().startswith("access-control-") for name, _ in response.headers):
        return response
    return structs.replace(response, headers=(*response.headers, *front_door.READABLE))
