"""The Condition element of a statement: compiled when a policy is loaded, asked at each call.

All operators and all their keys must hold; of the values of a key, any one (AWS "Conditions with multiple context keys or
values").
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kms_server.iam.context import Context
from kms_server.iam.operators import NULL, OPERATORS, Matcher
from kms_server.iam.values import boolean
from kms_server.iam.variables import parse

_NAME = re.compile(r"(ForAllValues:|ForAnyValue:|)([A-Za-z]+?)(IfExists|)")


class Over(StrEnum):
    """Which of a request's values have to match."""

    ANY_OR_NONE = ""  # any; of a negated operator, none may
    ALL = "ForAllValues:"
    SOME = "ForAnyValue:"


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key; `operator`, `key` and `texts` are as the policy has them, `lookup` is the key in lower case.

    `if_absent` is the answer for a request without the key.
    """

    operator: str
    key: str
    texts: tuple[str, ...]
    lookup: str
    over: Over
    matches: Matcher
    negated: bool
    if_absent: bool

    def holds(self, context: Context) -> bool:
        """Whether the request meets the condition."""
        values = context.values(self.lookup)
        if not values:
            return self.if_absent
        if self.over is Over.ALL:
            return all(self.matches(value, context) != self.negated for value in values)
        if self.over is Over.SOME:
            return any(self.matches(value, context) != self.negated for value in values)
        return any(self.matches(value, context) for value in values) != self.negated


def compile_conditions(
    element: Mapping[str, Mapping[str, object]], *, variables: bool
) -> tuple[Condition, ...]:
    """The conditions of a Condition element whose operators are known.

    Raises:
        KeyError: an operator is not.
    """
    return tuple(
        _compile(operator, key, _texts(values), variables=variables)
        for operator, keys in element.items()
        for key, values in keys.items()
    )


def is_operator(name: str) -> bool:
    """Whether there is a condition operator of that name, with ForAllValues, ForAnyValue and IfExists."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        return False
    return parts[2] in OPERATORS or (parts[2] == NULL and not parts[3])


def _texts(values: object) -> tuple[str, ...]:
    listed = values if isinstance(values, list) else [values]
    return tuple(value if isinstance(value, str) else json.dumps(value) for value in listed)


def _compile(name: str, key: str, texts: tuple[str, ...], *, variables: bool) -> Condition:
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise KeyError(name)
    over, base, if_exists = Over(parts[1]), parts[2], bool(parts[3])
    if base == NULL:
        return _null(name, key, texts)
    operator = OPERATORS[base]
    if_absent = if_exists or over is Over.ALL or (operator.negated and over is not Over.SOME)
    parsed = [parse(text, operator.literal, variables=variables and operator.variables) for text in texts]
    return Condition(
        name, key, texts, key.lower(), over, operator.compile(parsed), negated=operator.negated, if_absent=if_absent
    )  # fmt: skip


def _null(name: str, key: str, texts: tuple[str, ...]) -> Condition:
    """`true` holds where the key is absent, `false` where it is present."""
    wanted = {boolean(text) for text in texts}
    present = False in wanted
    return Condition(
        name, key, texts, key.lower(), Over.ANY_OR_NONE, lambda _value, _context: present,
        negated=False, if_absent=True in wanted,
    )  # fmt: skip
