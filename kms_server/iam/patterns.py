"""Wildcards of policy elements: `*` stands for any run of characters, `?` for any one (AWS "Policy elements").

A pattern is a text in which the wildcards are ANY and ONE. These are lone surrogates, which no strict reader lets
into a request or a policy: a `*` in a pattern is an asterisk, wherever it came from.
"""

from collections.abc import Iterable
from dataclasses import dataclass

ANY, ONE = "\udc00", "\udc01"
_WILD = str.maketrans("*?", ANY + ONE)


def wild(text: str) -> str:
    """The pattern of a text in which `*` and `?` are wildcards."""
    return text.translate(_WILD)


def is_plain(pattern: str) -> bool:
    """Whether a pattern has no wildcards, so that only the text itself fits."""
    return ANY not in pattern and ONE not in pattern


def fits(pattern: str, text: str) -> bool:
    """Whether the whole of `text` fits.

    The leftmost place of a part is as good as any later one, so nothing is ever tried twice: a match costs
    (pattern x text) at most, where backtracking would be exponential in the stars.
    """
    head, *rest = pattern.split(ANY)
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
    if ONE not in part:
        return text.find(part, at, end)
    if len(part) > end - at:
        return -1
    # Bit n of `reached`: the first n + 1 characters of the part stand before this place; all places at once (shift-and).
    bits: dict[str, int] = {}
    for place, wanted in enumerate(part):
        bits[wanted] = bits.get(wanted, 0) | 1 << place
    anything = bits[ONE]
    places = {character: found | anything for character, found in bits.items()}
    reached, whole = 0, 1 << len(part) - 1
    for place in range(at, end):
        reached = (reached << 1 | 1) & places.get(text[place], anything)
        if reached & whole:
            return place - len(part) + 1
    return -1


def _stands(part: str, text: str, at: int) -> bool:
    if ONE not in part:
        return text.startswith(part, at)
    window = text[at : at + len(part)]
    return all(wanted in (ONE, found) for wanted, found in zip(part, window, strict=True))


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions that a statement covers, in any case; `inverted` for NotAction."""

    exact: frozenset[str]
    patterns: tuple[str, ...]
    inverted: bool

    @classmethod
    def compile(cls, values: Iterable[str], *, inverted: bool) -> "Actions":
        """Actions of which any one has to match; none at all match nothing."""
        distinct = {wild(value.lower()) for value in values}
        exact = frozenset(filter(is_plain, distinct))
        return cls(exact, tuple(distinct - exact), inverted)

    def match(self, action: str) -> bool:
        """Whether the element covers `action`."""
        subject = action.lower()
        found = subject in self.exact or any(fits(pattern, subject) for pattern in self.patterns)
        return found != self.inverted
