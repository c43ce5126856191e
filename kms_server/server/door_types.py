"""What both doors share: who answers their calls, what is theirs alone, how they fail."""

import uuid
from typing import Protocol

from kms_server.errors import ServiceError
from kms_server.protocol import faults
from kms_server.protocol.message import Response
from kms_server.server.pipeline import Stage

# Raw request targets below this prefix are the server's own and never reach the pipeline.
OWN_PATHS = "/_kms/"


class Answerer(Protocol):
    """Answers requests in stages; `server.pipeline.Pipeline` is the one that serves."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The way from an Arrival to an Outcome."""


def failure(error: ServiceError) -> Response:
    """The answer to a request that fails in the door itself."""
    return faults.fault(error, str(uuid.uuid4()))
