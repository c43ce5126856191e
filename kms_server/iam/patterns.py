"""Wildcards of policy elements: `*` stands for any run of characters, `?` for any one (AWS "Policy elements")."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patterns:
    """What one element of a statement covers; `inverted` for the Not forms.

    `wild` holds each pattern that has wildcards as the parts between its stars.
    """

    exact: frozenset[str]
    wild: tuple[tuple[str, ...], ...]
    everything: bool
    inverted: bool
    ignore_case: bool

    @classmethod
    def compile(cls, values: Iterable[str], *, inverted: bool, ignore_case: bool) -> "Patterns":
        """Patterns of which any one has to match; none at all match nothing."""
        distinct = {value.lower() if ignore_case else value for value in values}
        wild = {value for value in distinct if "*" in value or "?" in value}
        parts = tuple(tuple(value.split("*")) for value in wild)
        return cls(frozenset(distinct - wild), parts, "*" in wild and not inverted, inverted, ignore_case)

    def match(self, text: str) -> bool:
        """Whether the element covers `text`."""
        if self.everything:
            return True
        subject = text.lower() if self.ignore_case else text
        found = subject in self.exact or any(_fits(parts, subject) for parts in self.wild)
        return found != self.inverted


def _fits(parts: tuple[str, ...], text: str) -> bool:
    # The leftmost place of a part is as good as any later one, so nothing is ever tried twice:
    # a match costs (pattern x text) at most, where backtracking would be exponential in the stars.
    head, *rest = parts
    if not rest:
        return len(text) == len(head) and _stands(head, text, 0)
    *middle, tail = rest
    at, end = len(head), len(text) - len(tail)
    if at > end or not _stands(head, text, 0) or not _stands(tail, text, end):
        return False
    for part in middle:
        at = _find(part, text, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def _find(part: str, text: str, at: int, end: int) -> int:
    if "?" not in part:
        return text.find(part, at, end)
    return next((place for place in range(at, end - len(part) + 1) if _stands(part, text, place)), -1)


def _stands(part: str, text: str, at: int) -> bool:
    if "?" not in part:
        return text.startswith(part, at)
    window = text[at : at + len(part)]
    return all(wanted in ("?", found) for wanted, found in zip(part, window, strict=True))
