"""Policy variables, `${aws:username}`, in resources and condition values (AWS "Policy variables").

Documents of version 2012-10-17 have them. A variable stands for the value of a condition key that has exactly one,
else for its default, `${aws:username, 'nobody'}`; without either, nothing matches the text that holds it. What it
stands for is taken literally, wildcards included; `${*}`, `${?}` and `${$}` are those three characters.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kms_server.iam.context import Context
from kms_server.iam.patterns import is_plain

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULT = re.compile(r"([^,]*), *'(.*)'", re.DOTALL)
_LITERALS = frozenset({"*", "?", "$"})


@dataclass(frozen=True, slots=True)
class Variable:
    """A place in a text that a condition key fills."""

    key: str
    default: str | None

    def value(self, context: Context) -> str | None:
        """What stands here in a request; never a wildcard."""
        values = context.values(self.key)
        value = values[0] if len(values) == 1 else self.default
        return value if value is None or is_plain(value) else None


@dataclass(frozen=True, slots=True)
class Template:
    """A text with variables."""

    parts: tuple[str | Variable, ...]

    def fill(self, context: Context) -> str | None:
        """The text for a request; None when a variable has no value."""
        filled = [part if isinstance(part, str) else part.value(context) for part in self.parts]
        return None if None in filled else "".join(filter(None, filled))

    def missing(self, context: Context) -> list[str]:
        """The condition keys that a request lacks to fill the text."""
        variables = [part for part in self.parts if isinstance(part, Variable)]
        return [one.key for one in variables if one.value(context) is None]


Text = str | Template


def parse(text: str, literal: Callable[[str], str], *, variables: bool) -> Text:
    """A text of a policy; `literal` turns what stands between the variables into a pattern."""
    if not variables:
        return literal(text)
    parts: list[str | Variable] = []
    end = 0
    # What opens behind the last brace does not close, and looking for that at each opening would take long.
    for found in _VARIABLE.finditer(text, 0, text.rfind("}") + 1):
        parts += [literal(text[end : found.start()]), _variable(found[1])]
        end = found.end()
    parts.append(literal(text[end:]))
    if all(isinstance(part, str) for part in parts):
        return "".join(part for part in parts if isinstance(part, str))
    return Template(tuple(part for part in parts if part))


def _variable(inside: str) -> str | Variable:
    if inside in _LITERALS:
        return inside
    with_default = _DEFAULT.fullmatch(inside)
    if with_default:
        return Variable(with_default[1].lower(), with_default[2])
    return Variable(inside.lower(), None)


def fill(text: Text, context: Context) -> str | None:
    """A text as it stands for a request; None when a variable has no value."""
    return text if isinstance(text, str) else text.fill(context)


def as_written(text: str) -> str:
    """A literal without wildcards."""
    return text


def constants(texts: Sequence[Text]) -> tuple[frozenset[str], tuple[Template, ...]]:
    """Texts without variables and texts with them."""
    fixed = frozenset(text for text in texts if isinstance(text, str))
    return fixed, tuple(text for text in texts if isinstance(text, Template))
