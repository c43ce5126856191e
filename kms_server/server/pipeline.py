"""The one order of steps from a request's bytes to its answer.

Nothing here knows sockets: a door passes a request in and waits for the ticket before it writes the answer.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from kms_server.audit import event_id
from kms_server.audit.group_commit import GroupCommit, wait
from kms_server.audit.record import rows_of
from kms_server.batches import Ticket
from kms_server.diagnosis import frames_of, in_words
from kms_server.errors import (
    AccessDeniedException,
    KMSInternalException,
    ServiceError,
    ThrottlingException,
    UnrecognizedClientException,
)
from kms_server.iam.principal import NOBODY
from kms_server.keyring.cache import WouldBlock
from kms_server.operations import limits
from kms_server.operations.call import Call, Operation, Plane, Services
from kms_server.operations.recording import event_of
from kms_server.operations.sts import restrictions
from kms_server.protocol import front_door
from kms_server.protocol.message import Request, Response
from kms_server.quotas.limiter import Undecided
from kms_server.server import mutation, wires
from kms_server.server.authentication import Authenticator
from kms_server.server.call_kinds import OK_KINDS, Kind, Result, kind_of, result_of
from kms_server.server.traces import NOTHING, Told, told_of
from kms_server.server.wires import Wire

_LOG = logging.getLogger(__name__)
# Refusals of callers that follow from what the database says; all others follow from the request, or from what never changes.
_BY_STATE = (UnrecognizedClientException, AccessDeniedException)


class Arrival(Struct, frozen=True):
    """A request that has just been received; one that may not block raises WouldBlock where it would have to wait.

    `charged` tells that its limits have let it pass before.
    """

    request: Request
    may_block: bool
    charged: bool = False


class Outcome(Struct, frozen=True):
    """An answer, the ticket whose commit must come before the answer's first byte, and what the call counts as.

    `charged` tells that limits have let the call pass; it is not asked of one that was not. `told` is for traces.
    """

    response: Response
    ticket: Ticket | None
    unaudited: Callable[[], Response]
    charged: bool = False
    kind: Kind | None = None
    told: Told = NOTHING


# A stage takes what the stage before it returned; the last one returns an Outcome.
Stage: TypeAlias = Callable[[Any], Any]


class Ended(Exception):
    """A request does not go all the way: it has its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class Pipeline:
    """Authenticates, authorizes, performs and records calls.

    `stages` is the way from an `Arrival` to an `Outcome`; a door that has many requests at a time takes all of them
    through one stage after the other, within `turn`. `offered` are the services that answer, others are unknown. Any stage may raise Ended.
    Any before the last may raise WouldBlock, and nothing was done then but that limits may have been asked (`go_on` knows),
    or Undecided: the same stage takes the same work again when the decision is there. One that is `traced` tells of each
    call what spans need.
    """

    def __init__(
        self, services: Services, authenticator: Authenticator, commit: GroupCommit, offered: Collection[str],
        *, traced: bool = False,
    ) -> None:  # fmt: skip
        self._services = services
        self._authenticator = authenticator
        self._commit = commit
        self._offered = offered
        self._traced = traced
        self.turn = services.limiter.turn
        self.stages: tuple[Stage, ...] = (
            self._authenticate,
            self._load,
            self._run,
            self._respond,
            self._record,
        )

    def perform(self, call: Call) -> Call:
        """Take a call that a service makes for its own caller through limits, schema, operation and record.

        Returns when the record is on disk; the call has its answer then. Never on the event loop's thread.

        Raises:
            ServiceError: the call's fault; KMSInternalException where its record could not be written.
        """
        try:
            self._services.keyring.refresh(may_block=True)
        except SQLAlchemyError as error:
            raise _unexpected(error) from None
        call = self._run(self._load(call))
        ticket = self._submitted(call)
        if ticket is not None:
            wait(ticket, self._services.limits.audit_deadline)
        if call.fault is not None:
            raise call.fault
        return call

    def _authenticate(self, arrival: Arrival) -> Call:
        """What a request asks for, and whose it is."""
        request, request_id = arrival.request, event_id.new_request_id()
        wire = wires.asked(request)
        if wire is None:
            raise Ended(_unrecorded(front_door.answer(request, request_id)))
        try:
            operation, document = wire.read(request, self._offered)
        except ServiceError as error:
            raise self._refused(request, request_id, error, wire, None) from None
        return self._called(arrival, request_id, operation, document)

    def _called(
        self, arrival: Arrival, request_id: str, operation: Operation, document: Mapping[str, Any]
    ) -> Call:
        """The call that a request is, once it is known who makes it: from then on it will be recorded."""
        services, request, may_block = self._services, arrival.request, arrival.may_block
        decided_on: int | None = None
        try:
            decided_on = services.keyring.refresh(may_block=may_block)
            caller = self._authenticator.authenticate(request, operation, may_block=may_block)
        except ServiceError as error:
            if decided_on is not None and isinstance(error, _BY_STATE):
                # No record will be stored that could tell whether another host has changed this.
                raise WouldBlock from None
            raise self._refused(request, request_id, error, wires.of(operation), operation) from None
        except SQLAlchemyError as error:
            response = wires.of(operation).fault(_unexpected(error), operation, request_id)
            raise Ended(_unrecorded(response, kind_of(operation, Result.FAILED))) from None
        now = services.clock.now()
        return Call(
            operation, services, caller.principal, caller.region, request, request_id,
            event_id.of_request(request_id, now), now, may_block, document, caller.forwarded,
            decided_on=decided_on, charged=arrival.charged,
        )  # fmt: skip

    def _refused(
        self, request: Request, request_id: str, error: ServiceError, wire: Wire, operation: Operation | None
    ) -> Ended:
        self._authenticator.note_refusal(request, error)
        kind = kind_of(operation, Result.UNAUTHENTICATED)
        return Ended(_unrecorded(wire.fault(error, operation, request_id), kind, Told(error=error.code)))

    def _load(self, call: Call) -> Call:
        """Limits that need no key, then the schema."""
        operation, wire = call.operation, wires.of(call.operation)
        if operation.plane is not Plane.DATA and not call.may_block:
            raise WouldBlock
        try:
            if not operation.shared_quota:
                limits.charge(call)
            if call.principal.session is not None:
                restrictions.check(call)
            call.parameters = wire.load(operation, call.document)
        except (WouldBlock, Undecided):
            raise
        except Exception as error:  # noqa: BLE001 - see fault_of
            call.fault = self._charge_refused(call) or fault_of(error)
            call.parameters = wire.as_sent(operation, call.document)
        return call

    def _run(self, call: Call) -> Call:
        """The operation; the call has its answer or its fault afterwards."""
        if call.fault is not None:
            return call
        try:
            if call.operation.plane is Plane.WRITE:
                mutation.carry_out(call)
            else:
                call.answer = call.operation.handler(call)
        except (WouldBlock, Undecided):
            raise
        except Exception as error:  # noqa: BLE001 - see fault_of
            call.fault = self._charge_refused(call) or fault_of(error)
        return call

    def _charge_refused(self, call: Call) -> ServiceError | None:
        """A refused call counts too; its fault is another when it is throttled."""
        try:
            limits.charge(call)
        except (WouldBlock, Undecided):
            raise
        except Exception as error:  # noqa: BLE001 - see fault_of
            return fault_of(error)
        return None

    def _respond(self, call: Call) -> Call:
        """The answer or the fault as the client gets it; it leaves when the record is on disk."""
        operation, fault = call.operation, call.fault
        wire = wires.of(operation)
        if fault is None:
            call.response = wire.answer(operation, call.answer, call.request_id)
        else:
            call.response = wire.fault(fault, operation, call.request_id)
        return call

    def _record(self, call: Call) -> Outcome:
        """Hand the record over, whatever happened; a mutation has committed its own."""
        operation, response, fault = call.operation, call.response, call.fault
        assert response is not None  # noqa: S101 - the stage before has made it
        if fault is None:
            kind, charged = OK_KINDS[operation.action], call.charged
        elif call.principal is NOBODY:
            self._authenticator.note_refusal(call.request, fault)
            return _unrecorded(response, kind_of(operation, Result.UNAUTHENTICATED), told_of(call))
        else:
            # A call that was throttled has taken no token: decided again, it has to ask for one.
            charged = call.charged and not isinstance(fault, ThrottlingException)
            kind = kind_of(operation, result_of(fault))
        told = told_of(call) if self._traced else NOTHING
        return Outcome(response, self._submitted(call), partial(_unaudited, call), charged, kind, told)

    def _submitted(self, call: Call) -> Ticket | None:
        """The ticket of a call's record; None for a mutation, which has committed its own."""
        if call.recorded:
            return None
        return self._commit.submit(*rows_of(event_of(call)), decided_on=call.decided_on)


def handle(stages: Iterable[Stage], request: Request) -> Outcome:
    """Take one request through all stages; waits where it has to."""
    return _finish(stages, Arrival(request, may_block=True))


def resumed(
    stages: Sequence[Stage], stage: Stage, work: object, request: Request, *, may_block: bool
) -> tuple[Stage, object]:
    """The stage that takes a request up again which raised WouldBlock in `stage` over `work`, and what it takes.

    It begins anew, unless its limits were asked already: they must not be asked twice.
    """
    if isinstance(work, Call) and work.pending is not None:
        work.may_block = may_block
        return stage, work
    return stages[0], Arrival(request, may_block=may_block)


def go_on(stages: Sequence[Stage], stage: Stage, work: object, request: Request) -> Outcome:
    """Take a request through the stage that raised WouldBlock over `work`, and through all others; waits where it has to."""
    begin, work = resumed(stages, stage, work, request, may_block=True)
    return _finish(stages[stages.index(begin) :], work)


def once_more(stages: Iterable[Stage], request: Request, *, charged: bool) -> Outcome:
    """Decide a request again whose ticket is outdated, on what the database says now; waits where it has to."""
    return _finish(stages, Arrival(request, may_block=True, charged=charged))


def _finish(stages: Iterable[Stage], work: Any) -> Outcome:  # noqa: ANN401 - see Stage
    try:
        for stage in stages:
            work = stage(work)
    except Ended as ended:
        return ended.outcome
    assert isinstance(work, Outcome)  # noqa: S101 - the last stage gives one
    return work


def _unrecorded(response: Response, kind: Kind | None = None, told: Told = NOTHING) -> Outcome:
    return Outcome(response, None, lambda: response, kind=kind, told=told)


def _unaudited(call: Call) -> Response:
    """What the client gets in the place of an answer whose record could not be written."""
    return wires.of(call.operation).fault(KMSInternalException(), call.operation, call.request_id)


def fault_of(error: Exception) -> ServiceError:
    """The last resort: no input may get a traceback."""
    return error if isinstance(error, ServiceError) else _unexpected(error)


def _unexpected(error: Exception) -> KMSInternalException:
    """Log where a failure happened, never its text: the text may quote a secret."""
    _LOG.error("internal failure: %s at %s", in_words(error), frames_of(error))
    return KMSInternalException()
