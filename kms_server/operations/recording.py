"""From a finished call to its audit event."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from kms_server.audit.record import Event
from kms_server.clock import iso_seconds
from kms_server.operations.call import Call

# Members of which the records have text.
DATES = frozenset({
    "CreateDate", "UpdateDate", "CreationDate", "DeletionDate", "RotationDate", "StartTime", "EndTime", "ValidTo",
    "Expiration", "LastUsedDate", "PasswordLastUsed", "Created", "LastUpdated",
})  # fmt: skip
# Members that records name otherwise than by their first letter.
_NAMES = {"CloudHsmClusterId": "clusterId"}


class _Source(NamedTuple):
    """Where a call came from."""

    identity: Mapping[str, Any]
    ip: str
    agent: str | None
    tls: Mapping[str, str] | None


def event_of(call: Call) -> Event:
    """The CloudTrail event of a call: request members and response members that the operation lists, no others."""
    principal, operation, fault = call.principal, call.operation, call.fault
    source = _source(call)
    return Event(
        event_id=call.event_id, time=call.time, source=f"{operation.service}.amazonaws.com", name=operation.name,
        account=call.account or call.owner, region=call.region, identity=source.identity,
        username=principal.name if principal.has_identity else None,
        access_key_id=principal.access_key_id, source_ip=source.ip, user_agent=source.agent, request_parameters=_parameters(call),
        response_elements=None if fault else _elements(call), additional=call.additional,
        service_event=None, request_id=call.request_id, read_only=operation.records_as_read,
        resources=call.resources, error_code=fault.code if fault else None,
        error_message=fault.message if fault and not fault.quotes_input else None, tls=source.tls, event_type="AwsApiCall",
        is_data=operation.is_data, owner=call.owner, echoes=call.echoes,
    )  # fmt: skip


def _parameters(call: Call) -> dict[str, Any] | None:
    """The logged request members."""
    sent = call.parameters
    logged = {logged_name(name): plain(name, sent[name]) for name in call.operation.logged if name in sent}
    if call.logged_extra:
        logged.update(call.logged_extra)
    return logged or None


def _elements(call: Call) -> dict[str, Any] | None:
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


def _source(call: Call) -> _Source:
    """The client, or the service that made the call with its client's session: it shows as AWS's records of 2026 do."""
    principal, request, forwarded = call.principal, call.request, call.forwarded
    if principal.is_service:
        return _Source(principal.identity, principal.name, principal.name, None)
    if forwarded is None:
        return _Source(principal.identity, request.source_ip, request.headers.get("user-agent"), _tls(call))
    service = f"fas.{forwarded.service}.amazonaws.com"
    session = {"attributes": {"creationDate": iso_seconds(call.time), "mfaAuthenticated": "false"}}
    identity = {"sessionContext": session, **principal.identity, "invokedBy": service}
    return _Source(identity, service, service, None)


def _tls(call: Call) -> dict[str, str] | None:
    tls = call.request.tls
    if tls is None or not tls.version:
        return None
    return {
        "tlsVersion": tls.version,
        "cipherSuite": tls.cipher,
        "clientProvidedHostHeader": call.request.headers.get("host", ""),
    }
