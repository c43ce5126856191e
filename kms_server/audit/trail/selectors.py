"""Which records a trail wants: event selectors, basic and advanced (CloudTrail "EventSelector", "AdvancedFieldSelector").

Selectors are compiled once. A record is selected when one of them selects it; the conditions of an advanced one must
all hold. Of a field's operators those that begin with Not must all hold, and one of the others, if there are any.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

S3_OBJECT = "AWS::S3::Object"
MANAGEMENT, DATA = "Management", "Data"
# What a trail has that was never given any.
DEFAULT: Mapping[str, Any] = {
    "EventSelectors": [
        {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}
    ]
}  # fmt: skip

_S3_BUCKET = "AWS::S3::Bucket"
_READ_ONLY = {"ReadOnly": (True,), "WriteOnly": (False,), "All": (True, False)}

Record: TypeAlias = Mapping[str, Any]
_Test: TypeAlias = Callable[[Record], bool]
_Read: TypeAlias = Callable[[Record], Sequence[str]]
_Matches: TypeAlias = Callable[[str, tuple[str, ...]], bool]


@dataclass(frozen=True, slots=True)
class Selectors:
    """The event selectors of a trail; `wants_management` and `wants_data` tell which records are worth asking about."""

    wants_management: bool
    wants_data: bool
    _management: tuple[_Test, ...]
    _data: tuple[_Test, ...]

    @classmethod
    def of(cls, stored: str | None) -> "Selectors":
        """Selectors by the JSON of `trails.selectors`; None: all management events."""
        given = DEFAULT if stored is None else json.loads(stored)
        tests = [
            *(test for one in given.get("EventSelectors", ()) for test in _basic(one)),
            *(_advanced(one) for one in given.get("AdvancedEventSelectors", ())),
        ]
        management = tuple(test for category, test in tests if category == MANAGEMENT)
        data = tuple(test for category, test in tests if category == DATA)
        return cls(bool(management), bool(data), management, data)

    def selects(self, record: Record) -> bool:
        """Whether a CloudTrail record is to be delivered."""
        tests = self._management if record["eventCategory"] == MANAGEMENT else self._data
        return any(test(record) for test in tests)


def _basic(selector: Mapping[str, Any]) -> Iterable[tuple[str, _Test]]:
    wanted = _READ_ONLY[selector["ReadWriteType"]]
    if selector["IncludeManagementEvents"]:
        excluded = frozenset(selector["ExcludeManagementEventSources"])
        yield (
            MANAGEMENT,
            lambda record: record["readOnly"] in wanted and record["eventSource"] not in excluded,
        )
    prefixes = tuple(value for one in selector["DataResources"] for value in one["Values"])
    if prefixes:
        yield (
            DATA,
            lambda record: (
                record["readOnly"] in wanted and any(arn.startswith(prefixes) for arn in _arns(record))
            ),
        )


def _advanced(selector: Mapping[str, Any]) -> tuple[str, _Test]:
    category, tests = "", []
    for condition in selector["FieldSelectors"]:
        if condition["Field"] == "eventCategory":
            (category,) = condition["Equals"]
        else:
            tests.append(_condition(condition))
    return category, lambda record: all(test(record) for test in tests)


def _condition(condition: Mapping[str, Any]) -> _Test:
    """The test of one field; one that a record does not have equals nothing."""
    read = _FIELDS[condition["Field"]]
    wanted = [(matches, tuple(condition[name])) for name, matches in _SELECTING.items() if name in condition]
    unwanted = [
        (matches, tuple(condition[f"Not{name}"]))
        for name, matches in _SELECTING.items()
        if f"Not{name}" in condition
    ]

    def test(record: Record) -> bool:
        found = read(record)
        if any(matches(value, values) for matches, values in unwanted for value in found):
            return False
        return not wanted or any(matches(value, values) for matches, values in wanted for value in found)

    return test


def _arns(record: Record) -> Sequence[str]:
    """The S3 objects that a record is about; those that name none are about all objects of their bucket."""
    resources = record.get("resources", ())
    objects = [one["ARN"] for one in resources if one["type"] == S3_OBJECT]
    return objects or [f"{one['ARN']}/" for one in resources if one["type"] == _S3_BUCKET]


def _text(name: str) -> _Read:
    def read(record: Record) -> Sequence[str]:
        value = record.get(name)
        return () if value is None else (value,)

    return read


def _caller(record: Record) -> Sequence[str]:
    arn = record["userIdentity"].get("arn")
    return () if arn is None else (arn,)


def _resource_types(record: Record) -> Sequence[str]:
    return (S3_OBJECT,) if _arns(record) else ()


_FIELDS: Mapping[str, _Read] = {
    "eventName": _text("eventName"),
    "eventSource": _text("eventSource"),
    "eventType": _text("eventType"),
    "sessionCredentialFromConsole": _text("sessionCredentialFromConsole"),
    "readOnly": lambda record: ("true" if record["readOnly"] else "false",),
    "resources.type": _resource_types,
    "resources.ARN": _arns,
    "userIdentity.arn": _caller,
}
_SELECTING: Mapping[str, _Matches] = {
    "Equals": lambda value, values: value in values,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
}
