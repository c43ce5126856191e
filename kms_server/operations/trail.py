"""What the audit log answers: CloudTrail's LookupEvents and KMS's GetKeyLastUsage."""

from typing import Any

import orjson

from kms_server import errors as e
from kms_server.audit.last_use import event_time
from kms_server.audit.lookup import lookup
from kms_server.audit.pages import Query
from kms_server.audit.record import Row
from kms_server.keys import states
from kms_server.operations import access, lookup_token
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import KEY
from kms_server.operations.usage import last_use
from kms_server.schemas import trail as schemas

COLUMNS = {
    "EventId": "event_id",
    "EventName": "event_name",
    "ReadOnly": "read_only",
    "Username": "username",
    "ResourceType": "resource_type",
    "ResourceName": "resource",
    "EventSource": "event_source",
    "AccessKeyId": "access_key_id",
}
_PAGE = 50


def lookup_events(call: Call) -> Answer:
    """The account's events in this Region, newest first (AWS CloudTrail LookupEvents)."""
    access.allow_without_key(call)
    start, end = call.get("StartTime"), call.get("EndTime")
    if start is not None and end is not None and start > end:
        raise e.InvalidTimeRangeException("StartTime must not be after EndTime.")
    category = call.get("EventCategory")
    if category not in (None, "insight"):
        raise e.InvalidEventCategoryException(f"{category} is not an event category that can be looked up.")
    size = call.get("MaxResults", _PAGE)
    if not 1 <= size <= _PAGE:
        raise e.InvalidMaxResultsException(f"MaxResults must be between 1 and {_PAGE}.")
    token = call.get("NextToken")
    after = None if token is None else lookup_token.read(token, call.account, call.region, call.parameters)
    query = Query(
        account=call.account, region=call.region, attribute=_attribute(call), start=start, end=end,
        after=after, limit=size + 1,
    )  # fmt: skip
    rows = [] if category else lookup(call.services.audit_sources(), query)
    answer: dict[str, Any] = {"Events": [_event(row) for row in rows[:size]]}
    if len(rows) > size:
        answer["NextToken"] = lookup_token.write(
            call.account, call.region, call.parameters, rows[size - 1].event_id
        )
    return answer


def get_key_last_usage(call: Call) -> Answer:
    """The last successful cryptographic use of a key, from the log (AWS GetKeyLastUsage)."""
    key = access.use_key(call, call.parameters["KeyId"]).key
    answer: dict[str, Any] = {
        "KeyId": key.arn,
        "TrackingStartDate": key.created_at,
        "KeyCreationDate": key.created_at,
        "KeyLastUsage": {},
    }
    use = last_use(call, key)
    if use is not None:
        answer["KeyLastUsage"] = {
            "Operation": use.operation,
            "Timestamp": use.time,
            "CloudTrailEventId": use.event_id,
            "KmsRequestId": use.request_id,
        }
    return answer


def _attribute(call: Call) -> tuple[str, str] | None:
    attributes = call.get("LookupAttributes") or []
    if not attributes:
        return None
    if len(attributes) > 1:
        raise e.InvalidLookupAttributesException("Only one lookup attribute can be given.")
    name, value = attributes[0]["AttributeKey"], attributes[0]["AttributeValue"]
    if name not in COLUMNS:
        raise e.InvalidLookupAttributesException(f"{name} is not an attribute that can be looked up.")
    return COLUMNS[name], value


def _event(row: Row) -> dict[str, Any]:
    record = orjson.loads(row.record)
    event = {
        "EventId": row.event_id,
        "EventName": row.event_name,
        "ReadOnly": "true" if row.read_only else "false",
        "AccessKeyId": row.access_key_id,
        "EventTime": event_time(record),
        "EventSource": row.event_source,
        "Username": row.username,
        "Resources": [
            {"ResourceType": resource["type"], "ResourceName": resource["ARN"]}
            for resource in record.get("resources", [])
        ],
        "CloudTrailEvent": row.record,
    }
    return {name: value for name, value in event.items() if value is not None}


OPERATIONS = (
    Operation(
        "GetKeyLastUsage", get_key_last_usage, schemas.GetKeyLastUsageRequest,
        schemas.GetKeyLastUsageResponse, Plane.READ, "Tells when a KMS key was last used.", logged=("KeyId",),
        rule=states.READ, conditions=KEY,
        errors=(e.NotFoundException, e.InvalidArnException, e.DependencyTimeoutException, e.KMSInternalException),
    ),
    Operation(
        "LookupEvents", lookup_events, schemas.LookupEventsRequest, schemas.LookupEventsResponse, Plane.READ,
        "Looks up events of the audit log.", service="cloudtrail",
        logged=("LookupAttributes", "StartTime", "EndTime", "EventCategory", "MaxResults"),
        errors=(e.InvalidLookupAttributesException, e.InvalidTimeRangeException, e.InvalidMaxResultsException,
                e.InvalidNextTokenException, e.InvalidEventCategoryException),
    ),
)  # fmt: skip
