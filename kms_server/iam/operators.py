"""The condition operators (AWS "IAM JSON policy elements: Condition operators").

An operator turns the texts of a policy into a question to one value of a request: does it match any of them?
"""

import operator as compare
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from kms_server.iam.context import Context
from kms_server.iam.patterns import fits, is_plain, wild
from kms_server.iam.values import address, boolean, moment, network, number, octets
from kms_server.iam.variables import Text, as_written, constants, fill

Matcher = Callable[[str, Context], bool]
Compiler = Callable[[Sequence[Text]], Matcher]
_ARN_PARTS = 6


class Operator(NamedTuple):
    """How an operator reads the texts of a policy; a negated one holds where its matcher finds no match.

    `literal` makes patterns of texts; `variables` says whether they may have variables.
    """

    compile: Compiler
    literal: Callable[[str], str] = as_written
    variables: bool = False
    negated: bool = False


def _equal(fold: Callable[[str], str]) -> Compiler:
    def compile_texts(texts: Sequence[Text]) -> Matcher:
        fixed, templates = constants(texts)
        known = frozenset(map(fold, fixed))

        def matches(value: str, context: Context) -> bool:
            folded = fold(value)
            if folded in known:
                return True
            filled = (template.fill(context) for template in templates)
            return any(text is not None and fold(text) == folded for text in filled)

        return matches

    return compile_texts


def _patterned(fit: Callable[[str, str], bool]) -> Compiler:
    def compile_texts(texts: Sequence[Text]) -> Matcher:
        def matches(value: str, context: Context) -> bool:
            filled = (fill(text, context) for text in texts)
            return any(pattern is not None and fit(pattern, value) for pattern in filled)

        return matches

    return compile_texts


def _arn_fits(pattern: str, arn: str) -> bool:
    """Each of the six parts by itself: no wildcard spans one of the first five colons."""
    wanted, given = pattern.split(":", _ARN_PARTS - 1), arn.split(":", _ARN_PARTS - 1)
    return len(wanted) == len(given) == _ARN_PARTS and all(
        part == text if is_plain(part) else fits(part, text) for part, text in zip(wanted, given, strict=True)
    )


def _ordered(
    read: Callable[[str], Fraction | None], stands: Callable[[Fraction, Fraction], bool]
) -> Compiler:
    def compile_texts(texts: Sequence[Text]) -> Matcher:
        bounds = [bound for bound in map(read, constants(texts)[0]) if bound is not None]

        def matches(value: str, _context: Context) -> bool:
            given = read(value)
            return given is not None and any(stands(given, bound) for bound in bounds)

        return matches

    return compile_texts


def _one_of(read: Callable[[str], object]) -> Compiler:
    def compile_texts(texts: Sequence[Text]) -> Matcher:
        wanted = frozenset(map(read, constants(texts)[0])) - {None}
        return lambda value, _context: read(value) in wanted

    return compile_texts


def _addresses(texts: Sequence[Text]) -> Matcher:
    networks = [one for one in map(network, constants(texts)[0]) if one is not None]

    def matches(value: str, _context: Context) -> bool:
        given = address(value)
        return given is not None and any(given in one for one in networks)

    return matches


_ORDERS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "Equals": compare.eq,
    "LessThan": compare.lt,
    "LessThanEquals": compare.le,
    "GreaterThan": compare.gt,
    "GreaterThanEquals": compare.ge,
}
_READERS: dict[str, Callable[[str], Fraction | None]] = {"Numeric": number, "Date": moment}
_POSITIVE = {
    "StringEquals": Operator(_equal(str), variables=True),
    "StringEqualsIgnoreCase": Operator(_equal(str.lower), variables=True),
    "StringLike": Operator(_patterned(fits), wild, variables=True),
    "ArnEquals": Operator(_patterned(_arn_fits), wild, variables=True),
    "ArnLike": Operator(_patterned(_arn_fits), wild, variables=True),
    "Bool": Operator(_one_of(boolean)),
    "BinaryEquals": Operator(_one_of(octets)),
    "IpAddress": Operator(_addresses),
} | {
    f"{kind}{name}": Operator(_ordered(read, order))
    for kind, read in _READERS.items()
    for name, order in _ORDERS.items()
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
NULL = "Null"
OPERATORS = _POSITIVE | {
    name: _POSITIVE[positive]._replace(negated=True) for name, positive in _NEGATED.items()
}
