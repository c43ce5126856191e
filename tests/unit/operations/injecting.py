"""Faults in a service's database, and calls that may meet them."""

from typing import Any

from kms_server.storage import injected_faults
from kms_server.storage.injected_faults import InjectedFault
from tests.unit.operations.service import Refusal, Service

THROTTLED = "ThrottlingException"


def inject(
    service: Service, schedule: str = "1", calls: int | None = 1, error: str | None = THROTTLED, **matches: str | None
) -> InjectedFault:  # fmt: skip
    fault = InjectedFault(error, 0.0, schedule, calls, 0.0, **matches)  # type: ignore[arg-type]  # texts alone
    with service.database.write() as tx:
        injected_faults.add(tx, fault)
    return fault


def seen(service: Service) -> list[int]:
    """How many calls each fault has counted."""
    with service.database.read() as connection:
        return [fault.seen for fault in injected_faults.every(connection)]


def code(service: Service, operation: str, /, **members: Any) -> str:
    answer = service.call(operation, **members)
    return answer.code if isinstance(answer, Refusal) else ""


def encrypt(service: Service, key_id: str, **how: Any) -> str:
    return code(service, "Encrypt", KeyId=key_id, Plaintext=b"p", **how)


def clear(service: Service) -> None:
    """Drop all faults."""
    with service.database.write() as tx:
        for fault in injected_faults.every(tx.connection):
            injected_faults.remove(tx, fault.fault_id)
