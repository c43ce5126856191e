"""Loading a document by its schema, with AWS's error texts."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, cast

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, pre_load

from kms_server.errors import SerializationException, ValidationException
from kms_server.protocol.json_reader import read_object, write
from kms_server.schemas import forms
from kms_server.schemas.fields import ListOf, Member, Structure

_MOST_ERRORS = 10
_MISSING = "Missing data for required field."


class Shape(Schema):
    """A structure of AWS's model; unknown members are ignored and null members are absent."""

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE

    @pre_load
    def _drop_nulls(self, data: Any, **_: Any) -> Any:  # noqa: ANN401 - marshmallow's signature
        if None in data.values():
            return {name: value for name, value in data.items() if value is not None}
        return data


class RequestSchema(Shape):
    """The input of an operation."""


class ResponseSchema(Shape):
    """The output of an operation."""


@cache
def _instance(schema: type[Shape]) -> Shape:
    return schema()


@cache
def _members(schema: type[Shape]) -> tuple[dict[str, Member], frozenset[str]]:
    fields = cast("dict[str, Member]", _instance(schema).fields)
    return fields, frozenset(name for name, member in fields.items() if member.required)


def load(schema: type[Shape], document: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a document: blobs as bytes, times as epoch seconds; absent members stay absent.

    What is in order is loaded member by member; whatever is not goes to marshmallow, which finds all that is wrong.

    Raises:
        SerializationException: a member has the wrong JSON type.
        ValidationException: constraints are violated, as AWS lists them.
    """
    members, required = _members(schema)
    try:
        loaded = {
            name: member.load(value)
            for name, value in document.items()
            if value is not None and (member := members.get(name)) is not None
        }
    except (ValidationError, SerializationException):
        return _load_slowly(schema, document)
    return loaded if required <= loaded.keys() else _load_slowly(schema, document)


def from_form(schema: type[Shape], tree: Mapping[str, Any]) -> dict[str, Any]:
    """The document that the members of a query request stand for.

    Raises:
        SerializationException: a text is none of the member's type, or a list has gaps.
    """
    return forms.document(_instance(schema), tree)


def as_sent(schema: type[Shape], document: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The named members of a request that was not loaded, as they were sent, as far as a record may show them."""
    return forms.as_sent(_instance(schema), {name: document[name] for name in names if name in document})


def readable(schema: type[Shape], tree: Mapping[str, Any]) -> dict[str, Any]:
    """The document of `from_form`, without the members that are in no order."""
    return forms.readable(_instance(schema), tree)


def to_xml(schema: type[Shape], answer: Mapping[str, Any]) -> str:
    """An answer as XML elements, in the order of its schema."""
    return forms.elements(_instance(schema), answer)


def _load_slowly(schema: type[Shape], document: Mapping[str, Any]) -> dict[str, Any]:
    instance = _instance(schema)
    try:
        loaded: dict[str, Any] = instance.load(document)
    except ValidationError as error:
        found = list(_violations(instance, _messages(error), document, ""))[:_MOST_ERRORS]
        noun = "error" if len(found) == 1 else "errors"
        raise ValidationException(f"{len(found)} validation {noun} detected: {'; '.join(found)}") from None
    return loaded


def _messages(error: ValidationError) -> dict[str, Any]:
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]  # marshmallow leaves it untyped
    return messages


def validate_response(schema: type[Shape], answer: Mapping[str, Any]) -> None:
    """Check an answer, as it goes over the wire, against its schema; unknown members are an error too.

    Raises:
        ValidationError, SerializationException: it does not fit.
    """
    schema(unknown=RAISE).load(read_object(write(answer)))


def _violations(schema: Schema, messages: Mapping[str, Any], document: Any, prefix: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    for name, texts in messages.items():
        member = schema.fields[name]
        assert isinstance(member, Member)  # noqa: S101 - our schemas have no other fields
        path = prefix + name[:1].lower() + name[1:]
        yield from _of_member(member, texts, document.get(name), path)


def _of_member(member: Member, texts: Any, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(texts, dict):
        if isinstance(member, ListOf):
            yield from _of_items(member, texts, value, path)
            return
        assert isinstance(member, Structure)  # noqa: S101 - nothing else nests
        yield from _violations(member.schema_class(), texts, value, f"{path}.")
        return
    for text in texts:
        if text == _MISSING:
            yield f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
        elif member.sensitive:
            yield f"Value at '{path}' failed to satisfy constraint: {text}"
        else:
            yield f"Value '{member.shown(value)}' at '{path}' failed to satisfy constraint: {text}"


def _of_items(member: ListOf, texts: Mapping[int, Any], items: list[Any], path: str) -> Iterator[str]:
    """Structures are named one by one; for anything else the list is named, with all that its items must satisfy."""
    if not all(isinstance(inner, dict) for inner in texts.values()):
        rules = member.inner.rules + ("Member must not be null",) * (None in items)
        yield from _of_member(member, [f"Member must satisfy constraint: [{', '.join(rules)}]"], items, path)
    for index, inner in texts.items():
        if isinstance(inner, dict):
            yield from _of_member(member.inner, inner, items[index], f"{path}.{index + 1}.member")
