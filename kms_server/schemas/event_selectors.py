"""Event selectors of CloudTrail's trails (2013-11-01); their rules have one error, which the operations raise."""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.fields import Boolean, ListOf, Structure, Text


def _values() -> ListOf:
    return ListOf(Text(1, 2048, ".+"), 1)


class DataResource(Shape):
    """Resources whose data events are selected."""

    Type = Text()
    Values = ListOf(Text())


class EventSelector(Shape):
    """A basic event selector."""

    ReadWriteType = Text()
    IncludeManagementEvents = Boolean()
    DataResources = ListOf(Structure(DataResource))
    ExcludeManagementEventSources = ListOf(Text())


class AdvancedFieldSelector(Shape):
    """A condition on one field of a record."""

    Field = Text(1, 1000, r"[\w|\d|\.|_]+", required=True)
    Equals = _values()
    StartsWith = _values()
    EndsWith = _values()
    NotEquals = _values()
    NotStartsWith = _values()
    NotEndsWith = _values()


class AdvancedEventSelector(Shape):
    """An advanced event selector: its conditions must all hold."""

    Name = Text(0, 1000, ".*")
    FieldSelectors = ListOf(Structure(AdvancedFieldSelector), 1, required=True)


class PutEventSelectorsRequest(RequestSchema):
    """Input of PutEventSelectors."""

    TrailName = Text(required=True)
    EventSelectors = ListOf(Structure(EventSelector))
    AdvancedEventSelectors = ListOf(Structure(AdvancedEventSelector))


class EventSelectorsResponse(ResponseSchema):
    """Output of PutEventSelectors and GetEventSelectors."""

    TrailARN = Text()
    EventSelectors = ListOf(Structure(EventSelector))
    AdvancedEventSelectors = ListOf(Structure(AdvancedEventSelector))


class GetEventSelectorsRequest(RequestSchema):
    """Input of GetEventSelectors."""

    TrailName = Text(required=True)
