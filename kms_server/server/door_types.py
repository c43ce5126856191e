"""What both doors share: who answers their calls, what is theirs alone, how they fail."""

import uuid
from typing import Protocol

from kms_server.errors import ServiceError
from kms_server.protocol import faults, front_door
from kms_server.protocol.message import Request, Response
from kms_server.server import wires
from kms_server.server.pipeline import Stage

# Raw request targets below this prefix are the server's own and never reach the pipeline.
OWN_PATHS = "/_kms/"


class Answerer(Protocol):
    """Answers requests in stages; `server.pipeline.Pipeline` is the one that serves."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The way from an Arrival to an Outcome."""


def failure(error: ServiceError, request: Request | None = None) -> Response:
    """The answer to a request that fails in the door itself, in its own protocol where it got that far."""
    wire = wires.asked(request) if request else None
    request_id = str(uuid.uuid4())
    return wire.fault(error, None, request_id) if wire else faults.fault(error, request_id)


def for_web_page(method: str, target: str, response: Response) -> Response:
    """The answer to a request with an Origin: a web page may read it (CORS), but for those of our own paths."""
    if method == "OPTIONS" or target.startswith(OWN_PATHS):
        return response
    return response._replace(headers=(*response.headers, *front_door.READABLE))
