"""The policy of a POST form: what the fields of the form may say (AWS "Creating a POST Policy")."""

import binascii
import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from kms_server.errors import ServiceError
from kms_server.protocol import json_reader
from kms_server.s3.errors import AccessDenied, InvalidPolicyDocument

_FREE = frozenset({"x-amz-signature", "awsaccesskeyid", "signature", "file", "policy"})
_FREE_PREFIX = "x-ignore-"
_RANGE = "content-length-range"


class _Condition(NamedTuple):
    """One condition on a field; `operator` is `eq` or `starts-with`, `field` in lower case."""

    operator: str
    field: str
    value: str
    text: str

    def holds(self, told: str) -> bool:
        """Whether a field's value meets the condition."""
        if self.operator == "eq":
            return told == self.value
        # A content type may be a list, each of which must meet the condition.
        values = told.split(",") if self.field == "content-type" else [told]
        return all(one.startswith(self.value) for one in values)


class PostPolicy(NamedTuple):
    """A policy document; `expires_at` is in epoch seconds, `length_range` the least and most bytes of the file."""

    expires_at: float
    conditions: tuple[_Condition, ...]
    length_range: tuple[int, int] | None

    def check(self, fields: Mapping[str, str], now: float) -> None:
        """Check the fields of a form, by their lower-case names and with `bucket` among them.

        Raises:
            AccessDenied: it has expired, a condition does not hold, or there are fields that none speaks of.
        """
        if now > self.expires_at:
            raise AccessDenied("Invalid according to Policy: Policy expired.")
        for condition in self.conditions:
            if not condition.holds(fields.get(condition.field, "")):
                raise AccessDenied(f"Invalid according to Policy: Policy Condition failed: {condition.text}")
        spoken_of = _FREE.union(condition.field for condition in self.conditions)
        extra = [name for name in fields if name not in spoken_of and not name.startswith(_FREE_PREFIX)]
        if extra:
            raise AccessDenied(f"Invalid according to Policy: Extra input fields: {', '.join(extra)}")


def read_policy(text: str) -> PostPolicy:
    """The policy of a form's field, which is JSON in base64.

    Raises:
        InvalidPolicyDocument
    """
    try:
        document = json_reader.read_object(b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError, ServiceError):
        raise _invalid("Invalid JSON.") from None
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    conditions = document.get("conditions")
    if conditions is None:
        raise _invalid("Policy missing conditions.")
    if not isinstance(conditions, list):
        raise _invalid("Invalid 'conditions' value: must be a List.")
    lists = [found for one in conditions for found in _as_lists(one)]
    ranges = [_range(one) for one in lists if one[0] == _RANGE]
    others = tuple(_condition(one) for one in lists if one[0] != _RANGE)
    least, most = max((one[0] for one in ranges), default=0), min((one[1] for one in ranges), default=0)
    return PostPolicy(_expiration(document["expiration"]), others, (least, most) if ranges else None)


def _as_lists(condition: Any) -> Iterator[list[Any]]:  # noqa: ANN401 - whatever JSON holds
    """A condition as a list of operator, field and value; the short form is an object."""
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise _invalid(
                "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
            )
        for name, value in condition.items():
            yield ["eq", f"${name}", value]
        return
    if not isinstance(condition, list) or len(condition) != 3 or not isinstance(condition[0], str):
        raise _invalid("Invalid Condition: a condition has an operator, a field and a value.")
    yield [condition[0].lower(), *condition[1:]]


def _condition(parts: list[Any]) -> _Condition:
    operator, field, value = parts
    if operator not in ("eq", "starts-with"):
        raise _invalid(f"Invalid Condition: unknown operation '{operator}'.")
    if not isinstance(field, str) or not field.startswith("$") or not isinstance(value, str):
        raise _invalid(f"Invalid Condition: {json.dumps(parts)}")
    return _Condition(operator, field[1:].lower(), value, json.dumps(parts))


def _range(parts: list[Any]) -> tuple[int, int]:
    try:
        least, most = int(parts[1]), int(parts[2])
    except (TypeError, ValueError, OverflowError):
        raise _invalid(f"Invalid {_RANGE}.") from None
    if not 0 <= least <= most:
        raise _invalid(f"Invalid {_RANGE}.")
    return least, most


def _expiration(value: Any) -> float:  # noqa: ANN401 - whatever JSON holds
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _invalid(f"Invalid 'expiration' value: '{value}'") from None
    if found.tzinfo is None:
        raise _invalid(f"Invalid 'expiration' value: '{value}'")
    return found.timestamp()


def _invalid(text: str) -> InvalidPolicyDocument:
    return InvalidPolicyDocument(f"Invalid Policy: {text}")
