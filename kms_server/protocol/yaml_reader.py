"""The one reader of YAML: a small part of it, in which every scalar is text.

Nothing is resolved, so that an account of twelve zeros stays one and `no` is no truth value; nothing is shared
between places of a document and nothing is built but mappings, lists and texts.
"""

from collections.abc import Iterator
from typing import Protocol

import yaml

from kms_server.errors import OperatorError

Value = str | list["Value"] | dict[str, "Value"]

MOST_BYTES = 4 * 1_024 * 1_024
MOST_NODES = 200_000
DEEPEST = 32


def read(raw: bytes) -> Value:
    """The one document of a YAML file.

    Raises:
        OperatorError: it is no YAML in UTF-8, too large or too deep, or it has anchors, aliases, tags, members that
            are doubled or no texts, or several documents. The text quotes nothing of the file.
    """
    if len(raw) > MOST_BYTES:
        raise OperatorError(f"the file is larger than {MOST_BYTES} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise OperatorError(f"the file is not UTF-8 (byte {error.start})") from None
    try:
        return _Builder(yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        raise _wrong(error.problem_mark, "this is not YAML") from None
    except yaml.YAMLError:
        raise OperatorError("the file has characters that YAML does not allow") from None


class _Mark(Protocol):
    """A place in a text, counted from 0."""

    line: int
    column: int


def _wrong(mark: _Mark | None, what: str) -> OperatorError:
    return OperatorError(f"line {mark.line + 1}, column {mark.column + 1}: {what}" if mark else what)


class _Builder:
    """Builds values from the parser's events, counting what it makes."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._nodes = 0

    def document(self) -> Value:
        next(self._events)  # the stream begins
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise OperatorError("the file is empty")
        value = self._value(next(self._events), depth=0)
        next(self._events)  # the document ends
        following = next(self._events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise _wrong(following.start_mark, "a second document begins")
        return value

    def _value(self, event: yaml.Event, depth: int) -> Value:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _wrong(event.start_mark, f"the file has more than {MOST_NODES} values")
        if depth > DEEPEST:
            raise _wrong(event.start_mark, f"values are nested more than {DEEPEST} deep")
        if isinstance(event, yaml.AliasEvent):
            raise _wrong(event.start_mark, "YAML aliases are not taken: write the value again")
        assert isinstance(event, yaml.NodeEvent)  # noqa: S101 - what else a value can begin with
        if event.anchor is not None:
            raise _wrong(event.start_mark, "YAML anchors are not taken")
        return self._node(event, depth)

    def _node(self, event: yaml.NodeEvent, depth: int) -> Value:
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)  # noqa: S101 - no alias
        if event.tag is not None:
            raise _wrong(event.start_mark, "YAML tags are not taken")
        if isinstance(event, yaml.ScalarEvent):
            return event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._value(one, depth + 1) for one in self._until(yaml.SequenceEndEvent)]
        return self._mapping(depth)

    def _mapping(self, depth: int) -> dict[str, Value]:
        members: dict[str, Value] = {}
        for event in self._until(yaml.MappingEndEvent):
            name = self._value(event, depth + 1)
            if not isinstance(name, str):
                raise _wrong(event.start_mark, "the name of a member is not a text")
            if name in members:
                raise _wrong(event.start_mark, "a member is there twice")
            members[name] = self._value(next(self._events), depth + 1)
        return members

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event
