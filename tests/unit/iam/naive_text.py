"""Texts of policy documents for the naive evaluator: variables and wildcards, one character at a time.

A pattern is a list of pieces. A piece is one character and whether it is a wildcard: ("*", True) stands for
any text, ("*", False) for an asterisk.

Decisions where the rules are unclear:

* What a variable stands for is taken literally: a tag value of "*" matches an asterisk and nothing else. So is
  the text of a default.
* A variable has a value when its key has exactly one. With none or several it has its default; without a default
  the text that holds it matches nothing.
* A variable ends at the first closing brace. An opening "${" without one is plain text.
* Only Version 2012-10-17 has variables; in a document of another Version, or of none, "${*}" is a dollar sign, a
  brace, a wildcard and a brace.
* The values of keys that differ only in case are values of one key. A key with no values is absent.
"""

import re
from collections.abc import Mapping, Sequence

Context = Mapping[str, Sequence[str]]
Piece = tuple[str, bool]
Pattern = list[Piece]

WITH_VARIABLES = "2012-10-17"


def values_of(context: Context, key: str) -> list[str]:
    """All values of a condition key, whatever the case of its name."""
    found: list[str] = []
    for name, values in context.items():
        if name.lower() == key.lower():
            found.extend(values)
    return found


def literal(text: str) -> Pattern:
    """A pattern that only the text itself matches."""
    return [(character, False) for character in text]


def wild(text: str) -> Pattern:
    """A pattern in which * and ? are wildcards."""
    return [(character, character in "*?") for character in text]


def variable(inside: str, context: Context) -> str | None:
    """What stands for ${inside}, or None."""
    if inside in ("*", "?", "$"):
        return inside
    name, default = inside, None
    with_default = re.fullmatch(r"([^,]*), *'(.*)'", inside)
    if with_default:
        name, default = with_default.group(1), with_default.group(2)
    values = values_of(context, name)
    if len(values) == 1:
        return values[0]
    return default


def expand(text: str, version: str, context: Context) -> Pattern | None:
    """The pattern of a text with wildcards and variables; None when a variable has no value."""
    pattern: Pattern = []
    rest = text
    while rest:
        if version == WITH_VARIABLES and rest.startswith("${") and "}" in rest:
            inside, rest = rest[2:].split("}", 1)
            value = variable(inside, context)
            if value is None:
                return None
            pattern += literal(value)
        else:
            pattern += wild(rest[0])
            rest = rest[1:]
    return pattern


def as_text(pattern: Pattern) -> str:
    """The characters of a pattern, for operators that know no wildcards."""
    return "".join(character for character, _ in pattern)


def matches(pattern: Pattern, text: str) -> bool:
    """Whether the whole text matches: follows every place in the text that the pattern read so far can end at."""
    places = {0}
    for character, is_wildcard in pattern:
        reached = set()
        for place in places:
            if is_wildcard and character == "*":
                reached |= set(range(place, len(text) + 1))
            elif place < len(text) and (is_wildcard or text[place] == character):
                reached.add(place + 1)
        places = reached
    return len(text) in places


def arn_parts(pattern: Pattern) -> list[Pattern]:
    """The pattern cut at its first five colons."""
    parts: list[Pattern] = [[]]
    for piece in pattern:
        if piece[0] == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append(piece)
    return parts


def arn_matches(pattern: Pattern, arn: str) -> bool:
    """Whether each of the six parts matches: no wildcard spans the first five colons.

    Unclear: a pattern or a value with fewer parts, even "*", matches nothing. The pattern is cut after variables
    were replaced, so that a variable may stand for a whole ARN.
    """
    wanted, given = arn_parts(pattern), arn.split(":", 5)
    if len(wanted) != 6 or len(given) != 6:
        return False
    return all(matches(part, text) for part, text in zip(wanted, given, strict=True))


def action_matches(pattern: str, action: str) -> bool:
    """Whether an Action of a statement covers the action: wildcards, no case, no variables."""
    return matches(wild(pattern.lower()), action.lower())


def resource_matches(text: str, version: str, context: Context, resource: str) -> bool:
    """Whether a Resource of a statement covers the resource.

    "*" covers all, even a request that names no resource; nothing else covers such a request. Any other text is
    matched in six parts. Unclear: wildcards in the service and variables before the fifth colon are plain
    characters, so that such a text covers nothing, as does one with fewer than six parts ("arn:aws:kms:*").
    """
    if text == "*":
        return True
    wanted, given = text.split(":", 5), resource.split(":", 5)
    if len(wanted) != 6 or len(given) != 6 or wanted[2] != given[2]:
        return False
    if not all(matches(wild(wanted[part]), given[part]) for part in (0, 1, 3, 4)):
        return False
    last = expand(wanted[5], version, context)
    return last is not None and matches(last, given[5])
