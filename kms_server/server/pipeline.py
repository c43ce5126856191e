"""The one order of steps from a request's bytes to its answer.

Nothing here knows sockets: a door passes a request in and waits for the ticket before it writes the answer.
"""

import logging
import traceback
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from kms_server.audit import event_id
from kms_server.audit.group_commit import GroupCommit, Ticket
from kms_server.audit.record import to_row
from kms_server.errors import KMSInternalException, ServiceError
from kms_server.keyring.cache import WouldBlock
from kms_server.operations import limits, registry
from kms_server.operations.call import Answer, Call, Plane, Services
from kms_server.protocol import faults, front_door, json_reader
from kms_server.protocol.message import Request, Response
from kms_server.schemas.base import load
from kms_server.server.authentication import Authenticator
from kms_server.server.recording import event_of
from kms_server.storage import events

_LOG = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """An answer, and the ticket whose commit must come before the answer's first byte."""

    response: Response
    ticket: Ticket | None
    unaudited: Callable[[], Response]


class Pipeline:
    """Authenticates, authorizes, performs and records calls.

    `handle` is `admit`, `run` and `record`; a door that has many requests at a time takes them through one after the
    other.
    """

    def __init__(self, services: Services, authenticator: Authenticator, commit: GroupCommit) -> None:
        self._services = services
        self._authenticator = authenticator
        self._commit = commit

    def handle(self, request: Request, *, may_block: bool) -> Outcome:
        """Answer one request.

        Raises:
            WouldBlock: the call needs the database and `may_block` is false; nothing was done.
        """
        admitted = self.admit(request, may_block=may_block)
        if isinstance(admitted, Outcome):
            return admitted
        self.run(admitted)
        return self.record(admitted)

    def admit(self, request: Request, *, may_block: bool) -> Call | Outcome:
        """Find out what is asked for and by whom; a request that fails here is no call and leaves no record.

        Raises:
            WouldBlock: as `handle`.
        """
        request_id = event_id.new_request_id()
        refused = front_door.check(request, request_id)
        if refused is not None:
            return _unrecorded(refused, request_id)
        try:
            document = json_reader.read_object(request.body)
            operation = registry.find(*front_door.target(request))
            self._services.keyring.refresh(may_block=may_block)
            caller = self._authenticator.authenticate(request, operation, may_block=may_block)
        except ServiceError as error:
            self._authenticator.note_refusal(request, error)
            return _unrecorded(faults.fault(error, request_id), request_id)
        except SQLAlchemyError as error:
            return _unrecorded(faults.fault(_unexpected(error), request_id), request_id)
        now = self._services.clock.now()
        return Call(
            operation=operation, services=self._services, principal=caller.principal, region=caller.region,
            request=request, request_id=request_id, event_id=event_id.new(now), time=now, may_block=may_block,
            document=document,
        )  # fmt: skip

    def run(self, call: Call) -> None:
        """Run the operation; `call` has its answer or its fault afterwards.

        Raises:
            WouldBlock: as `handle`.
        """
        try:
            if call.operation.plane is Plane.WRITE:
                self._write(call)
            else:
                call.answer = self._run(call)
        except WouldBlock:
            raise
        except Exception as error:  # noqa: BLE001 - the last resort: no input may get a traceback
            call.fault = error if isinstance(error, ServiceError) else _unexpected(error)

    def record(self, call: Call) -> Outcome:
        """Hand the record over, whatever happened; a mutation has committed its own."""
        response = _response(call)
        ticket = None
        if call.fault is not None or call.operation.plane is not Plane.WRITE:
            ticket = self._commit.submit(to_row(event_of(call)))
        return Outcome(response, ticket, lambda: _internal(call.request_id))

    def _run(self, call: Call) -> Answer:
        if call.operation.plane is not Plane.DATA and not call.may_block:
            raise WouldBlock
        if not call.operation.shared_quota:
            limits.charge(call)
        call.parameters = load(call.operation.request, call.document)
        try:
            return call.operation.handler(call)
        except ServiceError:
            limits.charge(call)  # a refused call counts too
            raise

    def _write(self, call: Call) -> None:
        """One transaction for the mutation, its service events and its record."""
        if not call.may_block:
            raise WouldBlock
        limits.charge(call)
        call.parameters = load(call.operation.request, call.document)
        with self._services.database.write() as tx:
            call.tx = tx
            call.answer = call.operation.handler(call)
            events.add(tx, to_row(event_of(call))._asdict())


def _response(call: Call) -> Response:
    if call.fault is not None:
        return faults.fault(call.fault, call.request_id)
    return faults.answer(call.answer, call.request_id)


def _unrecorded(response: Response, request_id: str) -> Outcome:
    return Outcome(response, None, lambda: _internal(request_id))


def _internal(request_id: str) -> Response:
    return faults.fault(KMSInternalException(), request_id)


def _unexpected(error: Exception) -> KMSInternalException:
    """Log where a failure happened, never its text: the text may quote a secret."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    _LOG.error("internal failure: %s at %s", type(error).__name__, where)
    return KMSInternalException()
