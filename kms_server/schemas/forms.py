"""What members of the query protocol look like in a form and in XML: texts of every type, and lists by number."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema

from kms_server.errors import SerializationException
from kms_server.protocol.query_reader import Node

_INTEGER = re.compile("0|-?[1-9][0-9]{0,18}")
_BOOLEANS = {"true": True, "false": False}


def text(node: Node) -> str:
    """The text of a member.

    Raises:
        SerializationException: other members stand under its name.
    """
    if not isinstance(node, str):
        raise SerializationException("Start of structure or map found where not expected.")
    return node


def integer(node: Node) -> int:
    """A whole number in its one decimal form."""
    if _INTEGER.fullmatch(text(node)) is None:
        raise SerializationException(f"'{node}' is not an integer")
    return int(text(node))


def boolean(node: Node) -> bool:
    """`true` or `false`."""
    if text(node) not in _BOOLEANS:
        raise SerializationException(f"'{node}' is not a boolean")
    return _BOOLEANS[text(node)]


def timestamp(node: Node) -> float:
    """Epoch seconds of an ISO 8601 time; without a zone it is in UTC."""
    try:
        moment = datetime.fromisoformat(text(node))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise SerializationException(f"'{node}' is not a time in ISO 8601") from None


def numbered(node: Node, name: str) -> Iterator[Node]:
    """What stands under `name` and the numbers from 1 on; an empty text is an empty list.

    Raises:
        SerializationException: a number is missing, or something else stands there.
    """
    if node == "":
        return
    items = branch(node).get(name)
    if len(branch(node)) != 1 or not isinstance(items, dict):
        raise SerializationException(f"Only members named {name} and a number can stand here")
    for number in range(1, len(items) + 1):
        if str(number) not in items:
            raise SerializationException(f"{name} {number} of {len(items)} is missing")
        yield items[str(number)]


def branch(node: Node) -> dict[str, Any]:
    """The members under a name; an empty text has none.

    Raises:
        SerializationException: it is a text.
    """
    if isinstance(node, dict):
        return node
    if node:
        raise SerializationException("Expected a structure or map")
    return {}


def document(schema: Schema, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON document that a form stands for; members that the schema does not know are ignored."""
    fields: Mapping[str, Any] = schema.fields
    return {name: member.from_form(tree[name]) for name, member in fields.items() if name in tree}


def as_sent(schema: Schema, document: Mapping[str, Any]) -> dict[str, Any]:
    """What the record of a refused request shows of a document."""
    fields: Mapping[str, Any] = schema.fields
    shown = {name: fields[name].as_sent(value) for name, value in document.items() if name in fields}
    return {name: value for name, value in shown.items() if value is not None}


def readable(schema: Schema, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON document that a form stands for, without the members that no document could have."""
    found: dict[str, Any] = {}
    for name in tree:
        with suppress(SerializationException):
            found |= document(schema, {name: tree[name]})
    return found


def elements(schema: Schema, answer: Mapping[str, Any]) -> str:
    """The XML elements of an answer, in the order of the schema."""
    fields: Mapping[str, Any] = schema.fields
    return "".join(
        f"<{name}>{member.to_xml(answer[name])}</{name}>"
        for name, member in fields.items()
        if answer.get(name) is not None
    )
