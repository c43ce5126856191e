"""The CloudTrail record of a call or of a service event (record version 1.11)."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Column, Table

from kms_server.arn import is_account
from kms_server.audit import event_id
from kms_server.clock import iso_seconds
from kms_server.storage.audit_tables import MOST_DATA_RESOURCE, MOST_RESOURCE

_VERSION = "1.11"
# CloudTrail "Record contents"; all in bytes.
_MOST_TEXT = 1_024
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


class Event(NamedTuple):
    """What happened; `time` is in epoch seconds, `resources` are pairs of type and ARN.

    `is_data` tells a data event, which is about an object, from a management event, which is about anything else.
    `owner` is the account of resources whose ARNs name none; empty where there is no such resource.
    `shared_id` is the same in the records that several accounts have of one event.
    """

    event_id: str
    time: float
    source: str
    name: str
    account: str
    region: str
    identity: Mapping[str, Any]
    username: str | None
    access_key_id: str | None
    source_ip: str
    user_agent: str | None
    request_parameters: Mapping[str, Any] | None
    response_elements: Mapping[str, Any] | None
    additional: Mapping[str, Any] | None
    service_event: Mapping[str, Any] | None
    request_id: str | None
    read_only: bool
    resources: tuple[tuple[str, str], ...]
    error_code: str | None
    error_message: str | None
    tls: Mapping[str, str] | None
    event_type: str
    is_data: bool = False
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
    shared = event._replace(shared_id=event_id.new_request_id()) if owners else event
    copies = [_copy(shared, owner) for owner in owners]
    return tuple(to_row(one) for one in (shared, *copies, *(_echoed(event, echo) for echo in event.echoes)))


def _other_owners(event: Event) -> Collection[str]:
    """The other accounts whose resources were used; most calls use none, and find it out fast."""
    own = f":{event.account}:"
    for _, arn in event.resources:
        if own not in arn:
            break
    else:
        return ()
    named = (arn.split(":", 5)[4] or event.owner for _, arn in event.resources)
    return dict.fromkeys(account for account in named if account != event.account and is_account(account))


def _copy(event: Event, owner: str) -> Event:
    """An event as the owner of a resource is told of it: of the caller no more than which account's it is, and its id."""
    identity = event.identity
    if "principalId" in identity:  # else it is a service, which is the same for everybody
        identity = {
            "type": "AWSAccount",
            "principalId": identity["principalId"],
            "accountId": event.account,
        }
    return event._replace(
        event_id=event_id.new(event.time), account=owner, identity=identity, username=None, access_key_id=None
    )


def _echoed(event: Event, echo: Echo) -> Event:
    return event._replace(event_id=event_id.new(event.time), additional=None, echoes=(), **echo._asdict())


def to_row(event: Event) -> Row:
    """The row of an event; optional members that say nothing are left out, as CloudTrail does."""
    error_code = _LOGGED_AS.get(event.error_code, event.error_code) if event.error_code else None
    record: dict[str, Any] = {
        "eventVersion": _VERSION,
        "userIdentity": event.identity,
        "eventTime": iso_seconds(event.time),
        "eventSource": event.source,
        "eventName": event.name,
        "awsRegion": event.region,
        "sourceIPAddress": event.source_ip,
    }
    if event.user_agent is not None:
        record["userAgent"] = _cut(event.user_agent)
    if error_code is not None:
        record["errorCode"] = error_code
    if event.error_message:
        record["errorMessage"] = _cut(event.error_message)
    record["requestParameters"] = event.request_parameters
    record["responseElements"] = event.response_elements
    if event.additional:
        record["additionalEventData"] = event.additional
    if event.request_id is not None:
        record["requestID"] = event.request_id
    record["eventID"] = event.event_id
    record["readOnly"] = event.read_only
    if event.resources:
        record["resources"] = [_resource(kind, arn) for kind, arn in event.resources]
    record["eventType"] = event.event_type
    record["managementEvent"] = not event.is_data
    record["recipientAccountId"] = event.account
    if event.shared_id is not None:
        record["sharedEventID"] = event.shared_id
    if event.service_event is not None:
        record["serviceEventDetails"] = event.service_event
    record["eventCategory"] = "Data" if event.is_data else "Management"
    if event.tls is not None:
        record["tlsDetails"] = event.tls
    arns = [_column(arn, event) for _, arn in event.resources[:2]] + [None, None]
    return Row(
        event.event_id, event.account, event.region, event.name, event.source, event.read_only, event.username,
        event.access_key_id, arns[0], arns[1], error_code, _json(record),
    )  # fmt: skip


def _column(arn: str, event: Event) -> str:
    """An ARN as it is looked up. What callers name may be anything, and PostgreSQL takes neither NUL nor what is too long."""
    most = MOST_DATA_RESOURCE if event.is_data else MOST_RESOURCE
    return arn.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]


def _resource(kind: str, arn: str) -> dict[str, str]:
    """A resource of a record; the ARNs of S3 name no account."""
    account = arn.split(":", 5)[4]
    return ({"accountId": account} if account else {}) | {"type": kind, "ARN": arn}


def service_event(
    name: str, account: str, region: str, key_arn: str, when: float, details: Mapping[str, Any]
) -> Event:
    """An event of KMS without a caller, dated `when` it was due: RotateKey, DeleteKey."""
    return _service_event("kms", name, account, region, (("AWS::KMS::Key", key_arn),), when, details)


def s3_service_event(
    name: str, account: str, region: str, resources: tuple[tuple[str, str], ...], when: float, details: Mapping[str, Any]
) -> Event:  # fmt: skip
    """An event about an object, without a caller."""
    return _service_event("s3", name, account, region, resources, when, details)._replace(is_data=True)


def _service_event(
    service: str, name: str, account: str, region: str, resources: tuple[tuple[str, str], ...], when: float,
    details: Mapping[str, Any],
) -> Event:  # fmt: skip
    return Event(
        event_id=event_id.new(when), time=when, source=f"{service}.amazonaws.com", name=name, account=account,
        region=region, identity={"accountId": account, "invokedBy": _INTERNAL}, username=None, access_key_id=None,
        source_ip=_INTERNAL, user_agent=_INTERNAL, request_parameters=None, response_elements=None, additional=None,
        service_event=details, request_id=None, read_only=False, resources=resources,
        error_code=None, error_message=None, tls=None, event_type="AwsServiceEvent",
    )  # fmt: skip


def _cut(text: str) -> str:
    """As much of a text as a record may have."""
    return text if len(text) * 4 <= _MOST_TEXT else text.encode()[:_MOST_TEXT].decode(errors="ignore")


def _json(record: dict[str, Any]) -> str:
    """The record as JSON, without the contents that are too large for CloudTrail."""
    written = orjson.dumps(record)
    if len(written) <= _MOST_ADDITIONAL:
        return written.decode()
    if len(orjson.dumps(record.get("additionalEventData"))) > _MOST_ADDITIONAL:
        del record["additionalEventData"]
    contents = {
        member: len(orjson.dumps(record[member])) for member in ("requestParameters", "responseElements")
    }
    is_too_large = len(written) > _MOST_RECORD
    record.update(
        dict.fromkeys(one for one, size in contents.items() if is_too_large or size > _MOST_CONTENT)
    )
    return orjson.dumps(record).decode()
