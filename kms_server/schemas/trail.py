"""LookupEvents of CloudTrail (2013-11-01), and GetKeyLastUsage of KMS, which the log answers too."""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.common import key_id
from kms_server.schemas.fields import Integer, ListOf, Structure, Text, Timestamp


class LookupAttribute(Shape):
    """What events are looked up by; the operation checks the key, whose error is CloudTrail's own."""

    AttributeKey = Text(required=True)
    AttributeValue = Text(1, 2000, required=True)


class LookupEventsRequest(RequestSchema):
    """Input of LookupEvents."""

    LookupAttributes = ListOf(Structure(LookupAttribute))
    StartTime = Timestamp()
    EndTime = Timestamp()
    EventCategory = Text()
    MaxResults = Integer(-(2**31), 2**31 - 1)
    NextToken = Text()


class Resource(Shape):
    """A resource of an event."""

    ResourceType = Text()
    ResourceName = Text()


class Event(Shape):
    """One event."""

    EventId = Text()
    EventName = Text()
    ReadOnly = Text()
    AccessKeyId = Text()
    EventTime = Timestamp()
    EventSource = Text()
    Username = Text()
    Resources = ListOf(Structure(Resource))
    CloudTrailEvent = Text()


class LookupEventsResponse(ResponseSchema):
    """Output of LookupEvents."""

    Events = ListOf(Structure(Event))
    NextToken = Text()


class GetKeyLastUsageRequest(RequestSchema):
    """Input of GetKeyLastUsage."""

    KeyId = key_id()


class KeyLastUsage(Shape):
    """The last successful cryptographic use of a key."""

    Operation = Text()
    Timestamp = Timestamp()
    CloudTrailEventId = Text()
    KmsRequestId = Text()


class GetKeyLastUsageResponse(ResponseSchema):
    """Output of GetKeyLastUsage."""

    KeyId = key_id(required=False)
    KeyLastUsage = Structure(KeyLastUsage)
    TrackingStartDate = Timestamp()
    KeyCreationDate = Timestamp()
