"""What both doors share: who answers their calls, what is theirs alone, how they fail."""

import uuid
from typing import Protocol

from kms_server.errors import ServiceError
from kms_server.operations.call import Call
from kms_server.protocol import faults
from kms_server.protocol.message import Request, Response
from kms_server.server.pipeline import Outcome

# Raw request targets below this prefix are the server's own and never reach the pipeline.
OWN_PATHS = "/_kms/"


class Answerer(Protocol):
    """Answers calls; `server.pipeline.Pipeline` is the one that serves."""

    def handle(self, request: Request, *, may_block: bool) -> Outcome:
        """Answer one request.

        Raises:
            WouldBlock: the call would wait and `may_block` is false; nothing was done.
        """
        ...

    def admit(self, request: Request, *, may_block: bool) -> Call | Outcome:
        """The first stage of `handle`: the call, whose caller is known, or the answer when it ends there."""
        ...

    def run(self, call: Call) -> None:
        """The second stage."""
        ...

    def record(self, call: Call) -> Outcome:
        """The last stage."""
        ...


def failure(error: ServiceError) -> Response:
    """The answer to a request that fails in the door itself."""
    return faults.fault(error, str(uuid.uuid4()))
