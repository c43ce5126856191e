"""Members of requests and responses with AWS's constraints.

A wrong JSON type raises SerializationException at once; a violated constraint is collected, and `base.load` writes
all of them in AWS's words.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields

from kms_server.errors import SerializationException
from kms_server.protocol.json_reader import read_base64

Check = Callable[[Any], None]
_LAST_TIME = 253_402_300_799
_AT_LEAST = "Member must have {} greater than or equal to {}".format
_AT_MOST = "Member must have {} less than or equal to {}".format
_PATTERN = "Member must satisfy regular expression pattern: {}".format


def _length(low: int, high: int | None) -> list[Check]:
    def check(value: Any) -> None:  # noqa: ANN401 - anything with a length
        size = len(value)
        if size < low:
            raise ValidationError(_AT_LEAST("length", low))
        if high is not None and size > high:
            raise ValidationError(_AT_MOST("length", high))

    return [check]


def _no_nul(value: str) -> None:
    """PostgreSQL has no text with U+0000, and nothing that AWS names contains it."""
    if "\0" in value:
        raise ValidationError(_PATTERN("[^\\u0000]*"))


def _pattern(pattern: str) -> Check:
    compiled = re.compile(pattern, re.ASCII)  # as AWS's engine reads `\w`

    def check(value: str) -> None:
        if compiled.fullmatch(value) is None:
            raise ValidationError(_PATTERN(pattern))

    return check


def _mismatch(value: object, wanted: str) -> SerializationException:
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


def _whole(value: float) -> int:
    return int(max(-(2.0**31), min(value, 2**31 - 1)))


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        pairs = [f"{name}={_shown(item)}" for name, item in value.items()]
        return f"{{{', '.join(pairs)}}}"
    return "null" if value is None else str(value)


class Member(fields.Field[Any]):
    """A member; `sensitive` keeps its value out of error texts. Null is the same as absent.

    `rules` are the constraints as AWS lists them when an item of a list violates one.
    """

    rules: tuple[str, ...] = ()

    def __init__(
        self, checks: Iterable[Check] = (), *, required: bool = False, sensitive: bool = False
    ) -> None:
        super().__init__(required=required, validate=list(checks))
        self.sensitive = sensitive

    def shown(self, value: Any) -> str:  # noqa: ANN401 - JSON
        """A value as an error text shows it."""
        return _shown(value)

    def load(self, value: Any) -> Any:  # noqa: ANN401 - members have many types
        """Deserialize and check one value, as marshmallow does it but without its bookkeeping."""
        loaded = self._deserialize(value, None, None)
        for check in self.validators:
            check(loaded)
        return loaded


class Text(Member):
    """A string of `low` to `high` characters."""

    def __init__(
        self, low: int = 0, high: int | None = None, pattern: str | None = None, *,
        required: bool = False, sensitive: bool = False,
    ) -> None:  # fmt: skip
        self.low, self.high, self.pattern = low, high, pattern
        checks = [*_length(low, high), _no_nul] + ([_pattern(pattern)] if pattern else [])
        super().__init__(checks, required=required, sensitive=sensitive)
        lengths = () if high is None else (_AT_MOST("length", high), _AT_LEAST("length", low))
        self.rules = (*lengths, *([_PATTERN(pattern)] if pattern else []))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, str):
            raise _mismatch(value, "String")
        return value


class Choice(Text):
    """A string of a fixed set."""

    def __init__(self, *values: str, required: bool = False) -> None:
        super().__init__(required=required)
        self.values = values
        allowed = frozenset(values)
        text = f"Member must satisfy enum value set: [{', '.join(values)}]"

        def check(value: str) -> None:
            if value not in allowed:
                raise ValidationError(text)

        self.validators = [check]
        self.rules = (text,)


class Blob(Member):
    """Bytes, as base64 on the wire; never shown in an error text."""

    def __init__(self, low: int, high: int, *, required: bool = False) -> None:
        self.low, self.high = low, high
        super().__init__(_length(low, high), required=required, sensitive=True)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bytes:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, str):
            raise _mismatch(value, "String")
        return read_base64(value)


class Integer(Member):
    """A whole number from `low` to `high`; fractions are cut and large numbers clamped, as AWS does."""

    def __init__(self, low: int, high: int, *, required: bool = False) -> None:
        self.low, self.high = low, high

        def check(value: int) -> None:
            if value < low:
                raise ValidationError(_AT_LEAST("value", low))
            if value > high:
                raise ValidationError(_AT_MOST("value", high))

        super().__init__([check], required=required)

    def shown(self, value: Any) -> str:  # noqa: ANN401 - JSON
        """The number that was taken for it."""
        return str(_whole(value))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401 - marshmallow's signature
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _mismatch(value, "Integer")
        return _whole(value)


class Boolean(Member):
    """True or false."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, bool):
            raise _mismatch(value, "Boolean")
        return value


class Timestamp(Member):
    """Epoch seconds, with a fraction where there is one, up to the year 9999."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:  # noqa: ANN401 - marshmallow's signature
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LAST_TIME:
            raise _mismatch(value, "Date")
        return float(value)


class ListOf(Member):
    """A list of `low` to `high` items."""

    def __init__(
        self, inner: Member, low: int = 0, high: int | None = None, *, required: bool = False
    ) -> None:
        self.inner, self.low, self.high = inner, low, high
        super().__init__(_length(low, high), required=required, sensitive=inner.sensitive)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, list):
            raise SerializationException("Expected list or null")
        items, wrong = [], {}
        for index, item in enumerate(value):
            try:
                items.append(self.inner.deserialize(item, attr, data, **kwargs))
            except ValidationError as error:
                wrong[index] = error.messages
        if wrong:
            raise ValidationError(wrong)
        return items


class MapOf(Member):
    """A map of strings to strings."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, dict):
            raise SerializationException("Expected map or null")
        for item in value.values():
            if item is None:
                raise ValidationError("Map value must satisfy constraint: [Member must not be null]")
            if not isinstance(item, str):
                raise _mismatch(item, "String")
        return value


class Structure(Member):
    """A nested structure."""

    def __init__(self, schema: type[Schema], *, required: bool = False) -> None:
        self.schema_class = schema
        self._schema = schema()
        super().__init__(required=required)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Mapping[str, Any]:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, dict):
            raise SerializationException("Expected null")
        loaded: Mapping[str, Any] = self._schema.load(value)
        return loaded
