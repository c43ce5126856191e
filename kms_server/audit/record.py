"""The CloudTrail record of a call or of a service event (record version 1.11)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct, structs
from sqlalchemy import Column, Table

from kms_server.arn import is_account
from kms_server.audit import event_id
from kms_server.audit.heading import Heading, cut, members, text
from kms_server.clock import iso_seconds
from kms_server.storage.audit_tables import MOST_DATA_RESOURCE, MOST_RESOURCE

# CloudTrail "Record contents"; all in bytes.
_MOST_CONTENT = 100 * 1_024
_MOST_ADDITIONAL = 28 * 1_024
_MOST_RECORD = 256 * 1_024
# In characters, none of which has more than four bytes.
_SURELY_FITS = _MOST_ADDITIONAL // 4
_INTERNAL = "AWS Internal"
# The log's name for an error, where it is not the API's.
_LOGGED_AS = {"AccessDeniedException": "AccessDenied"}


class Row(NamedTuple):
    """A record with the columns by which it is looked up, the first of the table."""

    event_id: str
    account: str
    region: str
    event_name: str
    event_source: str
    read_only: bool
    username: str | None
    access_key_id: str | None
    resource_1: str | None
    resource_2: str | None
    error_code: str | None
    record: str


def columns_of(table: Table) -> list[Column[Any]]:
    """The columns of a table of records that make a row."""
    return [table.c[name] for name in Row._fields]


class Echo(NamedTuple):
    """What a call did in another Region, which has a record of its own there; the members are those of `Event`."""

    name: str
    region: str
    request_parameters: Mapping[str, Any] | None
    response_elements: Mapping[str, Any] | None
    resources: tuple[tuple[str, str], ...]


class Event(Struct, frozen=True):
    """What happened; `time` is in epoch seconds, `resources` are pairs of type and ARN.

    `owner` is the account of resources whose ARNs name none; empty where there is no such resource.
    `shared_id` is the same in the records that several accounts have of one event.
    """

    heading: Heading
    event_id: str
    time: float
    request_parameters: Mapping[str, Any] | None
    response_elements: Mapping[str, Any] | None
    resources: tuple[tuple[str, str], ...]
    additional: Mapping[str, Any] | None = None
    request_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    service_event: Mapping[str, Any] | None = None
    owner: str = ""
    echoes: tuple[Echo, ...] = ()
    shared_id: str | None = None


class _Used(NamedTuple):
    """What follows from an event's resources: their accounts, empty where an ARN names none, both columns, and a piece of JSON."""

    accounts: tuple[str, ...]
    columns: tuple[str | None, str | None]
    record: str


# Of what callers name, some kilobytes each.
@lru_cache(maxsize=1_024)
def _used(resources: tuple[tuple[str, str], ...], is_data: bool) -> _Used:  # noqa: FBT001 - what is cached is found by place
    accounts = [arn.split(":", 5)[4] for _, arn in resources]
    written = [
        text(({"accountId": account} if account else {}) | {"type": kind, "ARN": arn})
        for account, (kind, arn) in zip(accounts, resources, strict=True)
    ]
    # What callers name may be anything, and PostgreSQL takes neither NUL nor what is too long.
    most = MOST_DATA_RESOURCE if is_data else MOST_RESOURCE
    sought = [arn.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most] for _, arn in resources[:2]]
    first, second, *_ = (*sought, None, None)
    record = f',"resources":[{",".join(written)}]' if written else ""
    return _Used(tuple(dict.fromkeys(accounts)), (first, second), record)


def rows_of(event: Event) -> tuple[Row, ...]:
    """All rows of an event, its own first; to be called once, for every row gets an id.

    What succeeded has a copy in every other account whose resource was used (CloudTrail "Record contents",
    sharedEventID), and a record in every other Region where it did something.
    """
    heading = event.heading
    used = _used(event.resources, heading.is_data)
    is_own = used.accounts == (heading.account,) or not used.accounts
    if event.error_code is not None or (is_own and not event.echoes):
        return (_row(event, used),)
    owners = _other_owners(event, used.accounts)
    shared = structs.replace(event, shared_id=event_id.new_request_id()) if owners else event
    copies = [_copy(shared, owner) for owner in owners]
    echoes = [_echoed(event, echo) for echo in event.echoes]
    return (_row(shared, used), *[to_row(one) for one in (*copies, *echoes)])


def _other_owners(event: Event, accounts: Iterable[str]) -> Collection[str]:
    """The other accounts whose resources were used."""
    own = event.heading.account
    named = (account or event.owner for account in accounts)
    return dict.fromkeys(account for account in named if account != own and is_account(account))


def _copy(event: Event, owner: str) -> Event:
    """An event as the owner of a resource is told of it: of the caller no more than which account's it is, and its id."""
    heading = event.heading
    identity = heading.identity
    if "principalId" in identity:  # else it is a service, which is the same for everybody
        identity = {
            "type": "AWSAccount",
            "principalId": identity["principalId"],
            "accountId": heading.account,
        }
    told = replace(heading, account=owner, identity=identity, username=None, access_key_id=None)
    return structs.replace(event, heading=told, event_id=event_id.new(event.time))


def _echoed(event: Event, echo: Echo) -> Event:
    return structs.replace(
        event, heading=replace(event.heading, name=echo.name, region=echo.region), event_id=event_id.new(event.time),
        request_parameters=echo.request_parameters, response_elements=echo.response_elements,
        resources=echo.resources, additional=None, echoes=(),
    )  # fmt: skip


def to_row(event: Event) -> Row:
    """The row of an event."""
    return _row(event, _used(event.resources, event.heading.is_data))


def _row(event: Event, used: _Used) -> Row:
    code, resources = event.error_code, used.record
    if code is not None:
        code = _LOGGED_AS.get(code, code)
    record = _record(event, code, resources)
    if len(record) > _SURELY_FITS:
        record = _record(_fitting(event, len(record.encode())), code, resources)
    # A tuple made at once: the class takes its fields one by one, in a function of its own.
    return tuple.__new__(Row, (event.event_id, *event.heading.columns, *used.columns, code, record))


def _record(event: Event, error_code: str | None, resources: str) -> str:
    """The record as JSON; optional members that say nothing are left out, as CloudTrail does."""
    heading, more = event.heading, ""
    own: dict[str, object] = {}
    if error_code is not None:
        own["errorCode"] = error_code
        if event.error_message:
            own["errorMessage"] = cut(event.error_message)
    own["requestParameters"] = event.request_parameters
    own["responseElements"] = event.response_elements
    if event.additional:
        own["additionalEventData"] = event.additional
    if event.request_id is not None:
        own["requestID"] = event.request_id
    own["eventID"] = event.event_id
    if event.shared_id is not None:
        more = f',"sharedEventID":"{event.shared_id}"'
    if event.service_event is not None:
        more += f',"serviceEventDetails":{text(event.service_event)}'
    return (
        f"{heading.before_time}{iso_seconds(event.time)}{heading.after_time},{members(own)}"
        f"{heading.kind}{resources}{heading.about}{more}{heading.end}"
    )


def _fitting(event: Event, size: int) -> Event:
    """The event without the contents that are too large for CloudTrail; with them its record has `size` bytes."""
    if size <= _MOST_ADDITIONAL:
        return event
    if len(text(event.additional).encode()) > _MOST_ADDITIONAL:
        event = structs.replace(event, additional=None)
    most = -1 if size > _MOST_RECORD else _MOST_CONTENT
    if len(text(event.request_parameters).encode()) > most:
        event = structs.replace(event, request_parameters=None)
    if len(text(event.response_elements).encode()) > most:
        event = structs.replace(event, response_elements=None)
    return event


def service_event(
    name: str, account: str, region: str, key_arn: str, when: float, details: Mapping[str, Any]
) -> Event:
    """An event of KMS without a caller, dated `when` it was due: RotateKey, DeleteKey."""
    return _service_event("kms", name, account, region, (("AWS::KMS::Key", key_arn),), when, details)


def s3_service_event(
    name: str, account: str, region: str, resources: tuple[tuple[str, str], ...], when: float, details: Mapping[str, Any]
) -> Event:  # fmt: skip
    """An event about an object, without a caller."""
    return _service_event("s3", name, account, region, resources, when, details)


def _service_event(
    service: str, name: str, account: str, region: str, resources: tuple[tuple[str, str], ...], when: float,
    details: Mapping[str, Any],
) -> Event:  # fmt: skip
    heading = Heading(
        source=f"{service}.amazonaws.com", name=name, account=account, region=region,
        identity={"accountId": account, "invokedBy": _INTERNAL}, username=None, access_key_id=None,
        source_ip=_INTERNAL, user_agent=_INTERNAL, read_only=False, event_type="AwsServiceEvent",
        is_data=service == "s3",
    )  # fmt: skip
    return Event(heading, event_id.new(when), when, None, None, resources, service_event=details)
