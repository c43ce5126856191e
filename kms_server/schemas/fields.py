"""Members of requests and responses with AWS's constraints.

A wrong JSON type raises SerializationException at once; a violated constraint is collected, and `base.load` writes
all of them in AWS's words.
"""

import base64
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields

from kms_server.clock import iso_seconds
from kms_server.errors import SerializationException
from kms_server.protocol.json_reader import read_base64
from kms_server.protocol.query_faults import xml_text
from kms_server.protocol.query_reader import Node
from kms_server.schemas import checks, forms
from kms_server.schemas.checks import AT_LEAST, AT_MOST, PATTERN, Check, mismatch

LAST_TIME = 253_402_300_799


class Member(fields.Field[Any]):
    """A member; `sensitive` keeps its value out of error texts. Null is the same as absent.

    `rules` are the constraints as AWS lists them when an item of a list violates one.
    """

    rules: tuple[str, ...] = ()

    def __init__(
        self, wanted: Iterable[Check] = (), *, required: bool = False, sensitive: bool = False
    ) -> None:
        super().__init__(required=required, validate=list(wanted))
        self.sensitive = sensitive

    def shown(self, value: Any) -> str:  # noqa: ANN401 - JSON
        """A value as an error text shows it."""
        return checks.shown(value)

    def from_form(self, node: Node) -> Any:  # noqa: ANN401 - members have many types
        """The JSON value that stands in a form under the member's name."""
        return forms.text(node)

    def to_xml(self, value: Any) -> str:  # noqa: ANN401 - members have many types
        """A value of an answer as the content of its XML element."""
        return xml_text(str(value))

    def as_sent(self, value: Any) -> Any:  # noqa: ANN401 - members have many types
        """What the record of a refused request shows of a value, whatever its constraints.

        None: it is of another type, and so nobody knows what it is, or it is sensitive.
        """
        if self.sensitive or value is None:
            return None
        try:
            return self._deserialize(value, None, None)
        except (SerializationException, ValidationError):
            return None

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
        self._most = sys.maxsize if high is None else high
        wanted = [checks.length(low, high), checks.no_nul] + ([checks.matches(pattern)] if pattern else [])
        super().__init__(wanted, required=required, sensitive=sensitive)
        lengths = () if high is None else (AT_MOST("length", high), AT_LEAST("length", low))
        self.rules = (*lengths, *([PATTERN(pattern)] if pattern else []))

    def load(self, value: Any) -> Any:  # noqa: ANN401 - members have many types
        """The text: one look passes what is in order, and the checks tell what is not."""
        if (
            isinstance(value, str)
            and self.low <= len(value) <= self._most
            and "\0" not in value
            and self.pattern is None
        ):
            return value
        return super().load(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, str):
            raise mismatch(value, "String")
        return value


class Choice(Text):
    """A string of a fixed set."""

    def __init__(self, *values: str, required: bool = False) -> None:
        super().__init__(required=required)
        self.values = values
        self._allowed = allowed = frozenset(values)
        text = f"Member must satisfy enum value set: [{', '.join(values)}]"

        def check(value: str) -> None:
            if value not in allowed:
                raise ValidationError(text)

        self.validators = [check]
        self.rules = (text,)

    def load(self, value: Any) -> Any:  # noqa: ANN401 - members have many types
        """One of the set."""
        return value if isinstance(value, str) and value in self._allowed else Member.load(self, value)


class Blob(Member):
    """Bytes, as base64 on the wire; never shown in an error text."""

    def __init__(self, low: int, high: int, *, required: bool = False) -> None:
        self.low, self.high = low, high
        super().__init__([checks.length(low, high)], required=required, sensitive=True)

    def load(self, value: Any) -> Any:  # noqa: ANN401 - members have many types
        """The bytes: one look, as at a text."""
        if isinstance(value, str) and self.low <= len(loaded := read_base64(value)) <= self.high:
            return loaded
        return super().load(value)

    def to_xml(self, value: Any) -> str:  # noqa: ANN401 - members have many types
        """Base64."""
        return base64.b64encode(value).decode()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bytes:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, str):
            raise mismatch(value, "String")
        return read_base64(value)


class Integer(Member):
    """A whole number from `low` to `high`; fractions are cut and large numbers clamped, as AWS does."""

    def __init__(self, low: int, high: int, *, required: bool = False) -> None:
        self.low, self.high = low, high
        super().__init__([checks.between(low, high)], required=required)

    def shown(self, value: Any) -> str:  # noqa: ANN401 - JSON
        """The number that was taken for it."""
        return str(checks.whole(value))

    def from_form(self, node: Node) -> int:
        """A whole number."""
        return forms.integer(node)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401 - marshmallow's signature
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise mismatch(value, "Integer")
        return checks.whole(value)


class Number(Member):
    """A number from `low` to `high`."""

    def __init__(self, low: int, high: int, *, required: bool = False) -> None:
        self.low, self.high = low, high
        super().__init__([checks.between(low, high)], required=required)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:  # noqa: ANN401 - marshmallow's signature
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise mismatch(value, "Double")
        return float(value)


class Boolean(Member):
    """True or false."""

    def from_form(self, node: Node) -> bool:
        """True or false."""
        return forms.boolean(node)

    def to_xml(self, value: Any) -> str:  # noqa: ANN401 - members have many types
        """`true` or `false`."""
        return str(value).lower()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, bool):
            raise mismatch(value, "Boolean")
        return value


class Timestamp(Member):
    """Epoch seconds, with a fraction where there is one, up to the year 9999."""

    def from_form(self, node: Node) -> float:
        """Epoch seconds."""
        return forms.timestamp(node)

    def to_xml(self, value: Any) -> str:  # noqa: ANN401 - members have many types
        """ISO 8601, to the second."""
        return iso_seconds(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:  # noqa: ANN401 - marshmallow's signature
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LAST_TIME:
            raise mismatch(value, "Date")
        return float(value)


class ListOf(Member):
    """A list of `low` to `high` items."""

    def __init__(
        self, inner: Member, low: int = 0, high: int | None = None, *, required: bool = False
    ) -> None:
        self.inner, self.low, self.high = inner, low, high
        super().__init__([checks.length(low, high)], required=required, sensitive=inner.sensitive)

    def from_form(self, node: Node) -> list[Any]:
        """The items `member.1`, `member.2` and so on."""
        return [self.inner.from_form(item) for item in forms.numbered(node, "member")]

    def to_xml(self, value: Any) -> str:  # noqa: ANN401 - members have many types
        """A `member` element for each item."""
        return "".join(f"<member>{self.inner.to_xml(item)}</member>" for item in value)

    def as_sent(self, value: Any) -> list[Any] | None:  # noqa: ANN401 - JSON
        """The items that can be shown."""
        if not isinstance(value, list):
            return None
        return [one for one in map(self.inner.as_sent, value) if one is not None]

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

    def from_form(self, node: Node) -> dict[str, str]:
        """What `entry.1.key`, `entry.1.value` and so on say.

        Raises:
            SerializationException: a key is there twice.
        """
        entries = [forms.branch(entry) for entry in forms.numbered(node, "entry")]
        pairs = [(forms.text(one.get("key", {})), forms.text(one.get("value", {}))) for one in entries]
        if len(dict(pairs)) != len(pairs):
            raise SerializationException("A map has a key more than once")
        return dict(pairs)

    def to_xml(self, value: Any) -> str:  # noqa: ANN401 - members have many types
        """An `entry` element for each pair."""
        return "".join(
            f"<entry><key>{xml_text(key)}</key><value>{xml_text(str(one))}</value></entry>"
            for key, one in value.items()
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, dict):
            raise SerializationException("Expected map or null")
        for item in value.values():
            if item is None:
                raise ValidationError("Map value must satisfy constraint: [Member must not be null]")
            if not isinstance(item, str):
                raise mismatch(item, "String")
        return value


class Structure(Member):
    """A nested structure."""

    def __init__(self, schema: type[Schema], *, required: bool = False) -> None:
        self.schema_class = schema
        self._schema = schema()
        super().__init__(required=required)

    def from_form(self, node: Node) -> dict[str, Any]:
        """The members under its name."""
        return forms.document(self._schema, forms.branch(node))

    def to_xml(self, value: Any) -> str:  # noqa: ANN401 - members have many types
        """The elements of its members."""
        return forms.elements(self._schema, value)

    def as_sent(self, value: Any) -> dict[str, Any] | None:  # noqa: ANN401 - JSON
        """The members that can be shown."""
        return forms.as_sent(self._schema, value) if isinstance(value, dict) else None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Mapping[str, Any]:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, dict):
            raise SerializationException("Expected null")
        loaded: Mapping[str, Any] = self._schema.load(value)
        return loaded
