"""Members and structures as JSON Schema, one dialect for each way they travel."""

from collections.abc import Iterator
from typing import Any, ClassVar

from marshmallow import Schema

from kms_server.schemas import fields

# RFC 4648 section 3.5: padded, and the bits behind the last byte are zero.
_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"


class JsonMembers:
    """Members in AWS JSON; the structures that they refer to are collected in `schemas`, under names with `prefix`."""

    timestamp: ClassVar[dict[str, Any]] = {
        "type": "number", "description": "epoch seconds", "minimum": 0, "maximum": fields.LAST_TIME,
    }  # fmt: skip

    def __init__(self, schemas: dict[str, Any], prefix: str = "") -> None:
        self._schemas = schemas
        self._prefix = prefix

    def structure(self, schema: type[Schema]) -> dict[str, str]:
        """A reference to a structure, which is described once."""
        name = f"{self._prefix}{schema.__name__}"
        if name not in self._schemas:
            members = schema().fields
            self._schemas[name] = {}  # a placeholder, for structures that contain themselves
            described: dict[str, Any] = {
                "type": "object",
                "properties": {key: self.member(member) for key, member in members.items()},
            }
            required = [key for key, member in members.items() if member.required]
            if required:
                described["required"] = required
            self._schemas[name] = described
        return {"$ref": f"#/components/schemas/{name}"}

    def member(self, member: Any) -> dict[str, Any]:  # noqa: ANN401, PLR0911 - one branch per kind of member
        """One member."""
        if isinstance(member, fields.Structure):
            return dict(self.structure(member.schema_class))
        if isinstance(member, fields.Choice):
            return {"type": "string", "enum": list(member.values)}
        if isinstance(member, fields.Text):
            return _bounded({"type": "string"}, "minLength", member.low, "maxLength", member.high) | (
                {"pattern": f"^(?:{member.pattern})$"} if member.pattern else {}
            )
        if isinstance(member, fields.Blob):
            return _bounded(
                {"type": "string", "contentEncoding": "base64", "pattern": _BASE64},
                "minLength", _base64_length(member.low), "maxLength", _base64_length(member.high),
            )  # fmt: skip
        if isinstance(member, fields.Integer):
            return {"type": "integer", "minimum": member.low, "maximum": member.high}
        if isinstance(member, fields.Number):
            return {"type": "number", "minimum": member.low, "maximum": member.high}
        if isinstance(member, fields.Boolean):
            return {"type": "boolean"}
        if isinstance(member, fields.Timestamp):
            return self.timestamp
        if isinstance(member, fields.ListOf):
            return self.list_of(member)
        return self.map_of()

    def list_of(self, member: fields.ListOf) -> dict[str, Any]:
        """A list."""
        items = {"type": "array", "items": self.member(member.inner)}
        return _bounded(items, "minItems", member.low, "maxItems", member.high)

    def map_of(self) -> dict[str, Any]:
        """A map of strings to strings."""
        return {"type": "object", "additionalProperties": {"type": "string"}}


class XmlMembers(JsonMembers):
    """Members of an answer in XML."""

    timestamp: ClassVar[dict[str, Any]] = {"type": "string", "format": "date-time"}

    def list_of(self, member: fields.ListOf) -> dict[str, Any]:
        """A list, whose items are `member` elements."""
        described = super().list_of(member)
        return described | {
            "items": described["items"] | {"xml": {"name": "member"}},
            "xml": {"wrapped": True},
        }

    def map_of(self) -> dict[str, Any]:
        """A map, whose pairs are `entry` elements."""
        text = {"type": "string"}
        pair = {"type": "object", "properties": {"key": text, "value": text}, "xml": {"name": "entry"}}
        return {"type": "array", "items": pair, "xml": {"wrapped": True}}


class FormMembers(JsonMembers):
    """Members of a form, where everything is one flat name with a text."""

    timestamp: ClassVar[dict[str, Any]] = {"type": "string", "format": "date-time"}

    def flat(self, schema: type[Schema], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        """The names of a structure's members, as patterns, with what stands under each."""
        for name, member in schema().fields.items():
            yield from self._flat(member, f"{prefix}{name}")

    def required(self, schema: type[Schema], prefix: str = "") -> Iterator[str]:
        """The names that must be there: of a list its first item, though a form may also have it empty."""
        for name, member in schema().fields.items():
            if member.required:
                yield from self._first(member, f"{prefix}{name}")

    def _first(self, member: Any, name: str) -> Iterator[str]:  # noqa: ANN401 - any member
        if isinstance(member, fields.Structure):
            yield from self.required(member.schema_class, f"{name}.")
        elif isinstance(member, fields.ListOf):
            yield from self._first(member.inner, f"{name}.member.1")
        else:
            yield name

    def _flat(self, member: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - any member
        number = "[1-9][0-9]*"
        if isinstance(member, fields.Structure):
            yield from self.flat(member.schema_class, rf"{name}\.")
        elif isinstance(member, fields.ListOf):
            yield from self._flat(member.inner, rf"{name}\.member\.{number}")
        elif isinstance(member, fields.MapOf):
            yield rf"{name}\.entry\.{number}\.(key|value)", {"type": "string"}
        else:
            yield name, self.member(member)


def _base64_length(size: int) -> int:
    return -(-size // 3) * 4


def _bounded(
    base: dict[str, Any], low_name: str, low: int, high_name: str, high: int | None
) -> dict[str, Any]:
    if low:
        base[low_name] = low
    if high is not None:
        base[high_name] = high
    return base
