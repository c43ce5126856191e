"""The rules of event selectors (AWS PutEventSelectors, AdvancedFieldSelector), as far as there are such events here.

The data events of this service are those of S3 objects; selectors of any others would never select anything.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kms_server.audit.trail.selectors import DATA, MANAGEMENT, S3_OBJECT
from kms_server.errors import InvalidEventSelectorsException

_MOST_BASIC, _MOST_RESOURCES, _MOST_VALUES = 5, 250, 500
_READ_WRITE_TYPES = ("ReadOnly", "WriteOnly", "All")
_EXCLUDABLE = frozenset({"kms.amazonaws.com", "rdsdata.amazonaws.com"})
_ALL_BUCKETS = frozenset({"arn:aws:s3", "arn:aws:s3:::"})
_IN_BUCKET = re.compile(r"arn:aws:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.*", re.DOTALL)
_OPERATORS = ("Equals", "StartsWith", "EndsWith", "NotEquals", "NotStartsWith", "NotEndsWith")

_Shape: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Field:
    """What an advanced selector can say of a field; no values: any."""

    operators: tuple[str, ...] = _OPERATORS
    values: frozenset[str] = frozenset()
    single: bool = False


_ANY = _Field()
_READ_ONLY = _Field(("Equals",), frozenset({"true", "false"}), single=True)
_FIELDS: Mapping[str, Mapping[str, _Field]] = {
    MANAGEMENT: {"readOnly": _READ_ONLY, "eventSource": _Field(("NotEquals",), _EXCLUDABLE)},
    DATA: {
        "readOnly": _READ_ONLY,
        "resources.type": _Field(("Equals",), frozenset({S3_OBJECT}), single=True),
        "resources.ARN": _ANY,
        "eventName": _ANY,
        "eventSource": _ANY,
        "eventType": _ANY,
        "userIdentity.arn": _ANY,
        "sessionCredentialFromConsole": _Field(("Equals", "NotEquals"), frozenset({"true"})),
    },
}
_CATEGORY = _Field(("Equals",), frozenset(_FIELDS), single=True)


def checked(basic: Sequence[_Shape], advanced: Sequence[_Shape]) -> dict[str, Any]:
    """The selectors as they are kept and shown: basic ones with all members.

    Raises:
        InvalidEventSelectorsException: they break a rule.
    """
    if bool(basic) == bool(advanced):
        raise _invalid("Specify either EventSelectors or AdvancedEventSelectors.")
    if advanced:
        _check_advanced(advanced)
        return {"AdvancedEventSelectors": list(advanced)}
    return {"EventSelectors": _completed(basic)}


def _completed(selectors: Sequence[_Shape]) -> list[dict[str, Any]]:
    if len(selectors) > _MOST_BASIC:
        raise _invalid(f"Specify a valid number of selectors (1 to {_MOST_BASIC}) for your trail.")
    completed = [_complete(selector) for selector in selectors]
    values = [value for one in completed for data in one["DataResources"] for value in data["Values"]]
    if len(values) > _MOST_RESOURCES and _ALL_BUCKETS.isdisjoint(values):
        raise _invalid(
            f"Specify a valid number of DataResources.Values (0 to {_MOST_RESOURCES}) for all your selectors."
        )
    return completed


def _complete(selector: _Shape) -> dict[str, Any]:
    kind = selector.get("ReadWriteType", "All")
    if kind not in _READ_WRITE_TYPES:
        raise _invalid(f"Value {kind} for ReadWriteType is invalid.")
    management = selector.get("IncludeManagementEvents", True)
    excluded = selector.get("ExcludeManagementEventSources", [])
    if not _EXCLUDABLE.issuperset(excluded) or (excluded and not management):
        raise _invalid("Event selector ExcludeManagementEventSources is not valid.")
    return {
        "ReadWriteType": kind,
        "IncludeManagementEvents": management,
        "DataResources": [_data_resource(one) for one in selector.get("DataResources", [])],
        "ExcludeManagementEventSources": excluded,
    }


def _data_resource(resource: _Shape) -> dict[str, Any]:
    kind, values = resource.get("Type"), resource.get("Values", [])
    if kind != S3_OBJECT:
        raise _invalid(f"Value {kind} for DataResources.Type is invalid.")
    for value in values:
        if value not in _ALL_BUCKETS and not _IN_BUCKET.fullmatch(value):
            raise _invalid(f"Value {value} for DataResources.Values is invalid.")
    return {"Type": kind, "Values": values}


def _check_advanced(selectors: Sequence[_Shape]) -> None:
    count = 0
    for selector in selectors:
        conditions = {one["Field"]: one for one in selector["FieldSelectors"]}
        if len(conditions) != len(selector["FieldSelectors"]):
            raise _invalid("A field can only be there once in an advanced event selector.")
        category = conditions.pop("eventCategory", None)
        if category is None:
            raise _invalid("An advanced event selector must have the field eventCategory.")
        count += _checked_values(_CATEGORY, category)
        fields = _FIELDS[category["Equals"][0]]
        if "resources.type" in fields and "resources.type" not in conditions:
            raise _invalid("An advanced event selector for data events must have the field resources.type.")
        for name, condition in conditions.items():
            if name not in fields:
                raise _invalid(f"The field {name} is not supported for {category['Equals'][0]} events.")
            count += _checked_values(fields[name], condition)
    if count > _MOST_VALUES:
        raise _invalid(f"Advanced event selectors can have at most {_MOST_VALUES} values.")


def _checked_values(field: _Field, condition: _Shape) -> int:
    """How many values a condition has."""
    name = condition["Field"]
    given = {operator: condition[operator] for operator in _OPERATORS if operator in condition}
    values = [value for some in given.values() for value in some]
    if not values:
        raise _invalid(f"The field {name} has no values.")
    if not given.keys() <= set(field.operators):
        raise _invalid(f"The field {name} takes only the operators {', '.join(field.operators)}.")
    if field.single and len(values) > 1:
        raise _invalid(f"The field {name} takes only one value.")
    wrong = [value for value in values if field.values and value not in field.values]
    if wrong:
        raise _invalid(f"Value {wrong[0]} for the field {name} is invalid.")
    return len(values)


def _invalid(text: str) -> InvalidEventSelectorsException:
    return InvalidEventSelectorsException(text)
