"""From a finished call to its audit event."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection

from kms_server.audit import event_id
from kms_server.audit.heading import Heading
from kms_server.audit.record import Event
from kms_server.clock import iso_seconds
from kms_server.operations.call import Call
from kms_server.storage import audit_writers
from kms_server.storage.database import Transaction

Open = TypeVar("Open", bound=Transaction | Connection)

# Members of which the records have text.
DATES = frozenset({
    "CreateDate", "UpdateDate", "CreationDate", "DeletionDate", "RotationDate", "StartTime", "EndTime", "ValidTo",
    "Expiration", "LastUsedDate", "PasswordLastUsed", "Created", "LastUpdated",
})  # fmt: skip
# Members that records name otherwise than by their first letter.
_NAMES = {"CloudHsmClusterId": "clusterId"}


# A client says what it is and what it calls the server; what is longer is not worth remembering.
_LONGEST_TOLD = 512


@contextmanager
def recording(call: Call, transaction: AbstractContextManager[Open]) -> Iterator[Open]:
    """A transaction whose end adds the record of a call, which is `recorded` when that was committed.

    A commit that fails may have happened all the same. Its record is there then; no other of its id may come, since it would
    fail the batch that it is in. What cannot be seen may still happen: that the call failed is recorded under another id.
    """
    added = False
    try:
        with transaction as tx:
            yield tx
            connection = tx.connection if isinstance(tx, Transaction) else tx
            call.services.ledger.add(connection, event_of(call))
            added = True
    except Exception:
        if added:
            former, call.event_id = call.event_id, event_id.new(call.time)
            with call.services.database.read() as connection:
                call.recorded = audit_writers.has_event(connection, former, is_data=call.operation.is_data)
        raise
    call.recorded = True


def event_of(call: Call) -> Event:
    """The CloudTrail event of a call: request members and response members that the operation lists, no others."""
    fault = call.fault
    if fault is not None:
        return Event(
            _heading(call), call.event_id, call.time, _parameters(call), None, call.resources, call.additional,
            call.request_id, fault.code, None if fault.quotes_input else fault.message, None, call.owner, call.echoes,
        )  # fmt: skip
    return Event(
        _heading(call), call.event_id, call.time, _parameters(call), _elements(call), call.resources,
        call.additional, call.request_id, None, None, None, call.owner, call.echoes,
    )  # fmt: skip


def _parameters(call: Call) -> dict[str, Any] | None:
    """The logged request members."""
    sent = call.parameters
    logged = {logged_name(name): plain(name, sent[name]) for name in call.operation.logged if name in sent}
    if call.logged_extra:
        logged |= call.logged_extra
    return logged or None


def _elements(call: Call) -> dict[str, Any] | None:
    if not (call.operation.answers or call.answered_extra):
        return None
    told = call.answer or {}
    elements = {logged_name(name): plain(name, told[name]) for name in call.operation.answers if name in told}
    if call.answered_extra:
        elements.update(plain("", call.answered_extra))
    return elements or None


def plain(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a member as records have it: of the members below it, too, the names begin with a small letter."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "EncryptionContext" not in name:
        return {logged_name(member): plain(member, inner) for member, inner in value.items()}
    if isinstance(value, list):
        return [plain("", item) for item in value]
    if name in DATES and isinstance(value, (int, float)):
        return _date(value)
    return value


@cache
def logged_name(name: str) -> str:
    """What records call a member."""
    return _NAMES.get(name) or name[:1].lower() + name[1:]


def _date(epoch: float) -> str:
    """A date as CloudTrail writes it inside KMS records: `Aug 10, 2026, 10:38:27 PM`."""
    moment = datetime.fromtimestamp(epoch, UTC)
    return f"{moment:%b} {moment.day}, {moment.year}, {moment:%I}:{moment:%M:%S %p}".replace(", 0", ", ")


def epoch(date: str) -> float:
    """The epoch seconds of a date that a record has as text."""
    return datetime.strptime(date, "%b %d, %Y, %I:%M:%S %p").replace(tzinfo=UTC).timestamp()


def _heading(call: Call) -> Heading:
    """What the record has in common with those of the caller's other calls of the operation, from the same place."""
    if call.forwarded is not None:
        return _made_heading(call)
    principal, request, findings = call.principal, call.request, call.services.keyring.findings
    headers = request.headers
    agent, tls = headers.get("user-agent"), request.tls and (request.tls, headers.get("host"))
    place = (id(principal), call.operation.action, call.region, call.owner, request.source_ip, agent, tls)
    known = findings.get(place)
    if known is not None and known[0] is principal:
        heading: Heading = known[1]
        return heading
    heading = _made_heading(call)
    told = len(agent or "") + len(headers.get("host", ""))
    if told <= _LONGEST_TOLD and not principal.is_service:
        findings.keep(place, (principal, heading))
    return heading


def _made_heading(call: Call) -> Heading:
    """The client, or the service that made the call with its client's session: it shows as AWS's records of 2026 do."""
    principal, request, forwarded, operation = call.principal, call.request, call.forwarded, call.operation
    identity, ip, agent, tls = (
        principal.identity,
        request.source_ip,
        request.headers.get("user-agent"),
        _tls(call),
    )
    if principal.is_service:
        ip, agent, tls = principal.name, principal.name, None
    elif forwarded is not None:
        ip = agent = f"fas.{forwarded.service}.amazonaws.com"
        session = {"attributes": {"creationDate": iso_seconds(call.time), "mfaAuthenticated": "false"}}
        identity, tls = {"sessionContext": session, **identity, "invokedBy": ip}, None
    return Heading(
        source=f"{operation.service}.amazonaws.com", name=operation.name, account=call.account or call.owner,
        region=call.region, identity=identity, username=principal.name if principal.has_identity else None,
        access_key_id=principal.access_key_id, source_ip=ip, user_agent=agent, read_only=operation.records_as_read,
        event_type="AwsApiCall", tls=tls, is_data=operation.is_data,
    )  # fmt: skip


def _tls(call: Call) -> dict[str, str] | None:
    tls = call.request.tls
    if tls is None or not tls.version:
        return None
    return {
        "tlsVersion": tls.version,
        "cipherSuite": tls.cipher,
        "clientProvidedHostHeader": call.request.headers.get("host", ""),
    }
