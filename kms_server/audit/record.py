"""The CloudTrail record of a call or of a service event (record version 1.11)."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct, structs
from sqlalchemy import Column, Table

from kms_server.arn import is_account
from kms_server.audit import event_id
from kms_server.audit.heading import Heading, cut, text
from kms_server.clock import iso_seconds
from kms_server.storage.audit_tables import MOST_DATA_RESOURCE, MOST_RESOURCE

# CloudTrail "Record contents"; all in bytes.
_MOST_CONTENT = 100 * 1_024
_MOST_ADDITIONAL = 28 * 1_024
_MOST_RECORD = 256 * 1_024
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


def rows_of(event: Event) -> tuple[Row, ...]:
    """All rows of an event, its own first; to be called once, for every row gets an id.

    What succeeded has a copy in every other account whose resource was used (CloudTrail "Record contents",
    sharedEventID), and a record in every other Region where it did something.
    """
    if event.error_code is not None:
        return (to_row(event),)
    owners = _other_owners(event)
    if not owners and not event.echoes:
        return (to_row(event),)
    shared = structs.replace(event, shared_id=event_id.new_request_id()) if owners else event
    copies = [_copy(shared, owner) for owner in owners]
    return tuple(to_row(one) for one in (shared, *copies, *(_echoed(event, echo) for echo in event.echoes)))


def _other_owners(event: Event) -> Collection[str]:
    """The other accounts whose resources were used; most calls use none, and find it out fast."""
    own = f":{event.heading.account}:"
    for _, arn in event.resources:
        if own not in arn:
            break
    else:
        return ()
    named = (arn.split(":", 5)[4] or event.owner for _, arn in event.resources)
    return dict.fromkeys(
        account for account in named if account != event.heading.account and is_account(account)
    )


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
    heading, code, resources = event.heading, event.error_code, event.resources
    if code is not None:
        code = _LOGGED_AS.get(code, code)
    record = _record(event, code)
    # No character has more than four bytes.
    if len(record) * 4 > _MOST_ADDITIONAL:
        record = _record(_fitting(event, len(record.encode())), code)
    first = _column(resources[0][1], heading) if resources else None
    second = _column(resources[1][1], heading) if len(resources) > 1 else None
    return Row(
        event.event_id, heading.account, heading.region, heading.name, heading.source, heading.read_only,
        heading.username, heading.access_key_id, first, second, code, record,
    )  # fmt: skip


def _record(event: Event, error_code: str | None) -> str:
    """The record as JSON; optional members that say nothing are left out, as CloudTrail does."""
    heading, resources, shared_id = event.heading, event.resources, event.shared_id
    errors = ids = used = more = ""
    if error_code is not None:
        errors = f',"errorCode":{text(error_code)}'
    if event.error_message:
        errors += f',"errorMessage":{text(cut(event.error_message))}'
    if event.additional:
        ids = f',"additionalEventData":{text(event.additional)}'
    if event.request_id is not None:
        ids += f',"requestID":"{event.request_id}"'
    if resources:
        used = f',"resources":[{",".join([_resource(*one) for one in resources])}]'
    if shared_id is not None:
        more = f',"sharedEventID":"{shared_id}"'
    if event.service_event is not None:
        more += f',"serviceEventDetails":{text(event.service_event)}'
    return (
        f"{heading.before_time}{iso_seconds(event.time)}{heading.after_time}{errors},"
        f'"requestParameters":{text(event.request_parameters)},"responseElements":{text(event.response_elements)}{ids},'
        f'"eventID":"{event.event_id}"{heading.kind}{used}{heading.about}{more}{heading.end}'
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


def _column(arn: str, heading: Heading) -> str:
    """An ARN as it is looked up. What callers name may be anything, and PostgreSQL takes neither NUL nor what is too long."""
    most = MOST_DATA_RESOURCE if heading.is_data else MOST_RESOURCE
    return arn.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]


@lru_cache(maxsize=1_024)
def _resource(kind: str, arn: str) -> str:
    """A resource of a record as JSON; the ARNs of S3 name no account."""
    account = arn.split(":", 5)[4]
    return text(({"accountId": account} if account else {}) | {"type": kind, "ARN": arn})


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
