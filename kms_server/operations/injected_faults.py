"""Faults for tests of clients, on servers that allow them; our extension. What a fault does to calls: `injection`."""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.operations import access
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.schemas import injected_faults as schemas
from kms_server.storage import injected_faults, settings
from kms_server.storage.database import Transaction
from kms_server.storage.injected_faults import MOST, InjectedFault

_NOT_ALLOWED = (
    "Faults cannot be injected into calls of this server: it is allowed at the first start only, "
    "by --dev or KMS_SERVER_FAULT_INJECTION=1"
)


def inject_fault(operations: Collection[str], call: Call) -> Answer:
    """Let the next calls of the account that match fail or be slow; `operations` are the names that can be given."""
    _permit(call, call.connection)
    asked = call.parameters
    name = asked.get("Operation")
    if name is not None and name not in operations:
        raise e.ValidationException(f"There is no operation {name} that faults can be injected into.")
    key = access.find_key(call, asked["KeyId"]).key if "KeyId" in asked else None
    if key is not None:
        call.touches(access.KEY, key.arn)
    fault = described(asked, account=call.account, key_id=key.key_id if key else None, now=call.time)
    add(call.writing, fault)
    return {"FaultId": fault.fault_id}


def list_injected_faults(call: Call) -> Answer:
    """The faults of the account, the oldest first."""
    with call.services.database.read() as connection:
        _permit(call, connection)
        found = injected_faults.every(connection)
    return {"Faults": [_entry(fault) for fault in found if fault.account == call.account]}


def remove_injected_fault(call: Call) -> Answer:
    """Drop a fault of the account."""
    _permit(call, call.connection)
    fault_id = call.parameters["FaultId"]
    found = injected_faults.every(call.connection)
    if not any(fault.fault_id == fault_id and fault.account == call.account for fault in found):
        raise e.NotFoundException(f"Injected fault {fault_id} does not exist.")
    injected_faults.remove(call.writing, fault_id)
    return None


def described(
    asked: Mapping[str, Any], *, account: str | None, key_id: str | None, now: float
) -> InjectedFault:
    """The fault that members of InjectFault describe; without Calls its schedule is gone through once.

    Raises:
        ValidationException: they contradict each other, or nothing would happen.
    """
    error, delay = asked.get("Error"), asked.get("DelayInMilliseconds", 0) / 1_000
    if error is None and not delay:
        raise e.ValidationException("Specify Error, DelayInMilliseconds, or both.")
    if "Calls" in asked and asked.get("Forever"):
        raise e.ValidationException("Specify either Calls or Forever, not both.")
    schedule = asked.get("Schedule", "1")
    calls = None if asked.get("Forever") else asked.get("Calls", len(schedule))
    return InjectedFault(
        error, delay, schedule, calls, now, account, asked.get("Operation"), key_id, asked.get("Principal")
    )


def add(tx: Transaction, fault: InjectedFault) -> None:
    """Store a fault behind all others.

    Raises:
        UnsupportedOperationException: the server does not allow it.
        LimitExceededException: there are too many.
    """
    require_allowed(tx.connection)
    if injected_faults.number_of(tx.connection) >= MOST:
        raise e.LimitExceededException(f"There can be at most {MOST} injected faults.")
    injected_faults.add(tx, fault)


def require_allowed(connection: Connection) -> None:
    """Check that faults may be injected into calls of this server.

    Raises:
        UnsupportedOperationException: they may not.
    """
    if settings.get(connection, settings.FAULT_INJECTION) != "1":
        raise e.UnsupportedOperationException(_NOT_ALLOWED)


def _permit(call: Call, connection: Connection) -> None:
    access.allow_without_key(call)
    require_allowed(connection)


def _entry(fault: InjectedFault) -> dict[str, object]:
    entry = {
        "FaultId": fault.fault_id,
        "Error": fault.error,
        "DelayInMilliseconds": round(fault.delay * 1_000),
        "Operation": fault.operation,
        "KeyId": fault.key_id,
        "Principal": fault.principal,
        "Schedule": fault.schedule,
        "Calls": fault.calls,
        "CallsSeen": fault.seen,
        "CreationDate": fault.created_at,
    }
    return {name: value for name, value in entry.items() if value is not None}


_ERRORS = (e.KMSInternalException, e.DependencyTimeoutException, e.UnsupportedOperationException)


def operations(others: Iterable[Operation]) -> tuple[Operation, ...]:
    """The operations of this module, for faults that are injected into calls of others."""
    names = frozenset(one.name for one in others)
    return (
        Operation(
            "InjectFault", partial(inject_fault, names), schemas.InjectFaultRequest, schemas.InjectFaultResponse,
            Plane.WRITE, "Lets the next calls that match fail or be slow. An extension of this service.",
            logged=("Error", "DelayInMilliseconds", "Operation", "KeyId", "Principal", "Schedule", "Calls", "Forever"),
            answers=("FaultId",), aliases_allowed=True, injectable=False,
            errors=(*_ERRORS, e.LimitExceededException, e.NotFoundException),
        ),
        Operation(
            "ListInjectedFaults", list_injected_faults, schemas.ListInjectedFaultsRequest,
            schemas.ListInjectedFaultsResponse, Plane.READ,
            "Lists the injected faults of the account. An extension of this service.",
            injectable=False, errors=_ERRORS,
        ),
        Operation(
            "RemoveInjectedFault", remove_injected_fault, schemas.RemoveInjectedFaultRequest, None, Plane.WRITE,
            "Drops an injected fault. An extension of this service.", logged=("FaultId",), injectable=False,
            errors=(*_ERRORS, e.NotFoundException),
        ),
    )  # fmt: skip
