"""What calls are counted as: their operation, and how they ended."""

from enum import IntEnum
from typing import NamedTuple

from kms_server.errors import (
    AccessDeniedException,
    ServerFault,
    ServiceError,
    ThrottlingException,
)
from kms_server.operations.call import Operation, Plane
from kms_server.operations.registry import OPERATIONS
from kms_server.s3.errors import AccessDenied, S3Error, SlowDown
from kms_server.s3.operations import table as s3_table
from kms_server.s3.operations import unbuilt

_SERVER_ERRORS = 500
_NO_OPERATION = "none:unknown"


class Result(IntEnum):
    """How a call ended; `refused` is any fault of the caller's that is none of the others."""

    OK = 0
    DENIED = 1
    THROTTLED = 2
    REFUSED = 3
    FAILED = 4
    UNAUTHENTICATED = 5


class Kind(NamedTuple):
    """Calls that are counted together; `family` is what their times are counted by, `number` tells all kinds apart."""

    service: str
    operation: str
    result: Result
    family: int
    number: int


def result_of(fault: ServiceError | None) -> Result:
    """How a call ended that was authenticated."""
    if fault is None:
        return Result.OK
    if isinstance(fault, (ThrottlingException, SlowDown)):
        return Result.THROTTLED
    if isinstance(fault, (AccessDeniedException, AccessDenied)):
        return Result.DENIED
    if isinstance(fault, ServerFault) or (isinstance(fault, S3Error) and fault.status >= _SERVER_ERRORS):
        return Result.FAILED
    return Result.REFUSED


def kind_of(operation: Operation | None, result: Result) -> Kind:
    """The kind of a call; without an operation nobody knows what it was to be."""
    return _BY_ACTION[operation.action if operation is not None else _NO_OPERATION][result]


def failed(kind: Kind) -> Kind:
    """What a call counts as whose record could not be written, whatever it would have been."""
    return _BY_ACTION[f"{kind.service}:{kind.operation}"][Result.FAILED]


def _family(service: str, plane: Plane | None) -> str:
    return service if plane is None or service != "kms" else f"kms_{plane.value}"


def _table() -> tuple[tuple[str, ...], dict[str, tuple[Kind, ...]]]:
    rows = [(one.action, _family(one.service, one.plane)) for one in OPERATIONS]
    rows += [(one.row.action, "s3") for one in (*s3_table.OPERATIONS, *unbuilt.OPERATIONS)]
    rows.append((_NO_OPERATION, "none"))
    found = dict(sorted(rows))
    families = tuple(sorted(set(found.values())))
    kinds = {}
    for place, (action, family) in enumerate(found.items()):
        service, _, operation = action.partition(":")
        number = families.index(family)
        kinds[action] = tuple(
            Kind(service, operation, result, number, place * len(Result) + result) for result in Result
        )
    return families, kinds


# Symmetric and other cryptography with keys is `kms_data`; what only asks is `kms_read`, what changes keys `kms_write`.
FAMILIES, _BY_ACTION = _table()
# Nearly every call is one of these: found in one step.
OK_KINDS = {action: kinds[Result.OK] for action, kinds in _BY_ACTION.items()}
KINDS = tuple(kind for kinds in _BY_ACTION.values() for kind in kinds)
UNKNOWN_FAILED = kind_of(None, Result.FAILED)
