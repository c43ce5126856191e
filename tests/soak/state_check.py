"""What is there at the end beside what clients were told."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import islice
from typing import Any

from tests.functional.server_process import ServerProcess
from tests.soak.audit_check import Log
from tests.soak.ledger import OK, UNKNOWN, Called, Change, Sealed, Violation
from tests.soak.pipelined import Pipe
from tests.soak.readings import DISABLED, ENABLED, PENDING, read

_AT_ONCE = 64


def final_values(log: Log, calls: Iterable[Called]) -> dict[str, Change]:
    """What each cell must be: its newest change that was acknowledged, or that has a record of success."""
    values = {}
    for called in calls:
        if called.change is not None and (called.kind == OK or _happened(log, called)):
            values[called.change.cell] = called.change
    return values


def _happened(log: Log, called: Called) -> bool:
    return called.kind in UNKNOWN and any(not record.failed for record in log.calls.get(called.marker, []))


def cells(server: ServerProcess, values: Iterable[Change]) -> Iterator[Violation]:
    """Ask for each cell."""
    clients = {service: server.client(service, max_attempts=3) for service in ("kms", "iam")}

    def ask(operation: str, service: str = "kms", **parameters: Any) -> Any:
        return clients[service]._make_api_call(operation, parameters)

    for change in values:
        found = read(ask, change.cell)
        if found != change.value:
            yield Violation("lost change", f"{change.cell} is {found}, must be {change.value}")


def keys(server: ServerProcess, log: Log, calls: Iterable[Called]) -> Iterator[Violation]:
    """The keys are those of the records of CreateKey, and each key that a client was told of is among them."""
    pages = server.client("kms", max_attempts=3).get_paginator("list_keys").paginate()
    there = {entry["KeyId"] for page in pages for entry in page["Keys"]}
    for key in there - log.created:
        yield Violation("key without record", key)
    for key in log.created - there:
        yield Violation("lost key", key)
    acknowledged = sum(called.operation == "CreateKey" and called.kind == OK for called in calls)
    if len(there) < acknowledged:
        yield Violation("lost key", f"{acknowledged} were acknowledged, {len(there)} are there")


def enable_all(server: ServerProcess) -> None:
    """Every key can be used afterwards."""
    kms = server.client("kms", max_attempts=3)
    for page in kms.get_paginator("list_keys").paginate():
        for entry in page["Keys"]:
            key = entry["KeyId"]
            state = kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
            if state == PENDING:
                kms.cancel_key_deletion(KeyId=key)
            if state in {PENDING, DISABLED}:
                kms.enable_key(KeyId=key)
            else:
                assert state == ENABLED, f"{key} is {state}"


def opened(
    server: ServerProcess, sealed: Iterable[Sealed], tell: Callable[[int], None]
) -> Iterator[Violation]:
    """Decrypt every ciphertext, verify every MAC and signature."""
    pipe = Pipe(server.access)
    remaining = iter(sealed)
    done = 0
    while batch := list(islice(remaining, _AT_ONCE)):
        pipe.send([("soak/check", one.how, _request(one)) for one in batch])
        for one in batch:
            status, _, answer = pipe.receive()
            if not _is_right(one, status, answer):
                yield Violation("lost ciphertext", f"{one}: {status} {answer}")
        done += len(batch)
        tell(done)
    pipe.close()


def _request(sealed: Sealed) -> dict[str, Any]:
    blobs = {"CiphertextBlob", "Message", "Mac", "Signature"}
    return {name: bytes.fromhex(value) if name in blobs else value for name, value in sealed.request.items()}


def _is_right(sealed: Sealed, status: int, answer: dict[str, Any]) -> bool:
    if status != 200:
        return False
    if sealed.how == "Decrypt":
        return sha256(answer["Plaintext"]).hexdigest() == sealed.digest
    return bool(answer.get("MacValid") or answer.get("SignatureValid"))
