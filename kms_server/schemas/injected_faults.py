"""InjectFault, ListInjectedFaults, RemoveInjectedFault: extensions of this service."""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.common import key_id
from kms_server.schemas.fields import Boolean, Choice, Integer, ListOf, Structure, Text, Timestamp
from kms_server.storage.injected_faults import (
    ERRORS,
    LONGEST_DELAY,
    LONGEST_PATTERN,
    LONGEST_SCHEDULE,
    MOST,
    MOST_CALLS,
)


def _fault_id(*, required: bool = False) -> Text:
    return Text(1, 64, "^[a-f0-9]+$", required=required)


class _Described(Shape):
    """What requests and lists say of a fault."""

    Error = Choice(*ERRORS)
    DelayInMilliseconds = Integer(0, int(LONGEST_DELAY * 1_000))
    Operation = Text(1, 64)
    KeyId = key_id(required=False)
    Principal = Text(1, LONGEST_PATTERN)
    Schedule = Text(1, LONGEST_SCHEDULE, "^[01]*1[01]*$")
    Calls = Integer(1, MOST_CALLS)


class InjectFaultRequest(RequestSchema, _Described):
    """Input of InjectFault."""

    Forever = Boolean()


class InjectFaultResponse(ResponseSchema):
    """Output of InjectFault."""

    FaultId = _fault_id()


class ListInjectedFaultsRequest(RequestSchema):
    """Input of ListInjectedFaults."""


class InjectedFault(_Described):
    """One fault of a list; without Calls it stays until it is removed."""

    FaultId = _fault_id()
    CallsSeen = Integer(0, 2**53)
    CreationDate = Timestamp()


class ListInjectedFaultsResponse(ResponseSchema):
    """Output of ListInjectedFaults."""

    Faults = ListOf(Structure(InjectedFault), 0, MOST)


class RemoveInjectedFaultRequest(RequestSchema):
    """Input of RemoveInjectedFault."""

    FaultId = _fault_id(required=True)
