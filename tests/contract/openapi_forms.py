"""Forms of the query protocol, held to what `openapi.yaml` says of them; it cannot say that lists are numbered without gaps."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

_NUMBER = re.compile("[1-9][0-9]*")
_INTEGER = re.compile("0|-?[1-9][0-9]*")
_BOOLEANS = {"true": True, "false": False}


def numbered_anew(form: Mapping[str, Any]) -> dict[str, Any]:
    """The same form, with the items of each list numbered from 1 on, in their order."""
    numbers: dict[str, dict[str, str]] = defaultdict(dict)
    anew = {}
    for name in sorted(form, key=lambda name: [(len(part), part) for part in name.split(".")]):
        path = ""
        for part, is_number in _parts(name):
            given = numbers[path]
            path += "." + (given.setdefault(part, str(len(given) + 1)) if is_number else part)
        anew[path[1:]] = form[name]
    return anew


def is_in_order(sent: str) -> bool:
    """Whether each name is there once and is the beginning of no other, and lists are numbered without gaps."""
    names = [name for name, _ in parse_qsl(sent, keep_blank_values=True)]
    beginnings = {
        ".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 1)
    }
    once = len(set(names)) == len(names) and beginnings.isdisjoint(names)
    return once and numbered_anew(dict.fromkeys(names)).keys() == set(names)


def read(sent: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent: texts, and where the schema wants a number or a boolean that the text is one of, that."""
    return {
        name: _typed(text, _said_of(name, schema)) for name, text in parse_qsl(sent, keep_blank_values=True)
    }


def _parts(name: str) -> Iterator[tuple[str, bool]]:
    """The parts of a name, each with whether it is a number in a list."""
    before = ""
    for part in name.split("."):
        yield part, before in {"member", "entry"} and _NUMBER.fullmatch(part) is not None
        before = part


def _said_of(name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = schema["properties"].get(name)
    if found is not None:
        return found
    patterns = schema.get("patternProperties", {})
    return next((said for pattern, said in patterns.items() if re.search(pattern, name)), {})


def _typed(text: str, said: Mapping[str, Any]) -> Any:
    if said.get("type") == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    return _BOOLEANS.get(text, text) if said.get("type") == "boolean" else text
