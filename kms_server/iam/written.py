"""Statements as their authors wrote them, and where: for explanations, which calls never wait for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_BLANKS = re.compile(r"[ \t\n\r]*")
_LINE_END = re.compile(r"\r\n|\r|\n")
_WITH_VARIABLES = "2012-10-17"
_read = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Written:
    """One statement of a document.

    It reaches from the offset `start` to before `end`, as AWS's policy simulator counts: `start` is behind the `{` of
    a statement that stands alone, in a list behind the `[` or the statement before.
    """

    elements: Mapping[str, Any]
    start: int
    end: int

    def listed(self, element: str) -> list[str]:
        """The values of an element that may be one text or a list of them; none when it is not there."""
        value = self.elements.get(element, [])
        return [value] if isinstance(value, str) else list(value)


@dataclass(frozen=True, slots=True)
class Document:
    """A policy as it was written; `variables` says whether its Version has them."""

    text: str
    variables: bool
    statements: tuple[Written, ...]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1 on."""
        lines = _LINE_END.split(self.text[:offset])
        return len(lines), len(lines[-1]) + 1


def read(text: str) -> Document:
    """The document of a compiled policy."""
    variables = False
    statements: tuple[Written, ...] = ()
    for name, at in _members(text):
        if name == "Statement":
            statements = tuple(_statements(text, at))
        elif name == "Version":
            variables = _read(text, at)[0] == _WITH_VARIABLES
    return Document(text, variables, statements)


def _members(text: str) -> Iterator[tuple[str, int]]:
    """The names of the members of an object and the offsets of their values."""
    at = _skip(text, 0)
    while text[at] != "}":
        name, at = _read(text, _skip(text, at + 1))
        value = _skip(text, _skip(text, at) + 1)
        yield name, value
        at = _skip(text, _read(text, value)[1])


def _statements(text: str, at: int) -> Iterator[Written]:
    if text[at] != "[":
        content, end = _read(text, at)
        yield Written(content, at + 1, end)
        return
    start = at + 1
    while text[at] != "]":
        content, end = _read(text, _skip(text, at + 1))
        yield Written(content, start, end)
        start = end
        at = _skip(text, end)


def _skip(text: str, at: int) -> int:
    """The offset of what comes after blanks."""
    found = _BLANKS.match(text, at)
    assert found is not None  # noqa: S101 - no blanks are a match, too
    return found.end()
