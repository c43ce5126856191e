"""The constraints of members, with AWS's words for what violates them."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from marshmallow import ValidationError

from kms_server.errors import SerializationException

Check = Callable[[Any], None]
AT_LEAST = "Member must have {} greater than or equal to {}".format
AT_MOST = "Member must have {} less than or equal to {}".format
PATTERN = "Member must satisfy regular expression pattern: {}".format

# What stands for all characters of a Unicode category (`\p{L}`), which Python's patterns cannot name.
_OF_CATEGORY = {"L": "a", "N": "0", "Z": " "}


def length(low: int, high: int | None) -> Check:
    """The value has `low` to `high` characters, bytes or items."""

    def check(value: Any) -> None:  # noqa: ANN401 - anything with a length
        size = len(value)
        if size < low:
            raise ValidationError(AT_LEAST("length", low))
        if high is not None and size > high:
            raise ValidationError(AT_MOST("length", high))

    return check


def between(low: int, high: int) -> Check:
    """The value is a number from `low` to `high`."""

    def check(value: float) -> None:
        if value < low:
            raise ValidationError(AT_LEAST("value", low))
        if value > high:
            raise ValidationError(AT_MOST("value", high))

    return check


def no_nul(value: str) -> None:
    """PostgreSQL has no text with U+0000, and nothing that AWS names contains it."""
    if "\0" in value:
        raise ValidationError(PATTERN("[^\\u0000]*"))


def matches(pattern: str) -> Check:
    """The whole text matches a pattern of AWS's model."""
    prepared: Callable[[str], str] = str
    python = pattern
    for category, character in _OF_CATEGORY.items():
        if f"\\p{{{category}}}" in pattern:
            prepared = _by_category
            python = python.replace(f"\\p{{{category}}}", character)
    compiled = re.compile(python, re.ASCII)  # as AWS's engine reads `\w`

    def check(value: str) -> None:
        if compiled.fullmatch(prepared(value)) is None:
            raise ValidationError(PATTERN(pattern))

    return check


def _by_category(text: str) -> str:
    return "".join(_OF_CATEGORY.get(unicodedata.category(character)[0], character) for character in text)


def mismatch(value: object, wanted: str) -> SerializationException:
    """The error for a JSON type that the member does not take, in the framework's words."""
    if isinstance(value, list):
        return SerializationException("Start of list found where not expected")
    if isinstance(value, dict):
        return SerializationException("Start of structure or map found where not expected.")
    if isinstance(value, str) and wanted == "Boolean":
        return SerializationException(f"'{value}' can not be converted to an Boolean")
    kind = {
        bool: "java.lang.Boolean",
        str: "java.lang.String",
        int: "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
        float: "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    }[type(value)]
    return SerializationException(f"class {kind} can not be converted to an {wanted}")


def whole(value: float) -> int:
    """A number as AWS takes it for an integer: cut, and no larger than 32 bits."""
    return int(max(-(2.0**31), min(value, 2**31 - 1)))


def shown(value: object) -> str:
    """A JSON value as AWS's error texts show it."""
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        pairs = [f"{name}={shown(item)}" for name, item in value.items()]
        return f"{{{', '.join(pairs)}}}"
    return "null" if value is None else str(value)
