"""Policy documents that are nearly right, as texts: members of other types, too deep, too large, odd, or doubled."""

import json
from random import Random
from typing import Any

ODD_TEXTS = [
    "", "*", "?", "${", "${*}", "${aws:username}", "${aws:username, '*'}", "\u0000", "\u00ff", "\u0100", "\ufeff", "\u2028",
    "\udc00", "\udc01", "a\udc00b", "\ud83d", "\U0001f600", "e\u0301", "\u0130", "\u00df", "\u0661\u0662", "1e999", "-0",
    "0" * 5_000, "9" * 400, "2026-02-30", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1::/128", "::ffff:1.2.3.4/104",
    "arn:aws:kms:*", "arn:::::", ":" * 9, "*?" * 60, "?*" * 60, "ForAllValues:", "Null", "Allow", "true", "111122223333",
]  # fmt: skip
# Those that a policy may have.
_OF_POLICIES = [text for text in ODD_TEXTS if max(text, default="") <= "\u00ff"]
ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 7.5, 10**30, 10**400, 1e300, float("inf"), float("nan"), [], {}, [[]], [{}], {"": ""}, {"AWS": {}},
    ["*", 1], ["*", ["*"]], {"AWS": "*"}, {"AWS": ["*", "arn:aws:iam::111122223333:user/alice"]},
]  # fmt: skip
MEMBERS = [
    "Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
    "Condition", "condition", "AWS", "Service", "StringLike", "ForAnyValue:StringLikeIfExists", "NullIfExists", "aws:username",
]  # fmt: skip


def mutated(rng: Random, document: Any) -> str:
    """The text of a document with a few changes."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        document = _changed(rng, document)
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    for _ in range(rng.choice([0] * 8 + [1, 2])):
        text = _edited(rng, text)
    return text


def _changed(rng: Random, value: Any) -> Any:
    """A copy with one value, somewhere, replaced, nested, added, renamed or taken away."""
    if isinstance(value, dict) and value and rng.random() < 0.97:
        # Most ways of being odd and still a policy are those of conditions.
        inner = [name for name in ("Statement", "Condition") if name in value]
        name = inner[0] if inner and rng.random() < 0.85 else rng.choice(list(value))
        return {
            **{one: kept for one, kept in value.items() if one != name},
            **_member(rng, name, value[name]),
        }
    if isinstance(value, list) and value and rng.random() < 0.95:
        place = rng.randrange(len(value))
        return [*value[:place], _changed(rng, value[place]), *value[place + 1 :]]
    return _replaced(rng, value)


def _member(rng: Random, name: str, value: Any) -> dict[str, Any]:
    kind = rng.randrange(40)
    if kind == 0:
        return {}
    if kind == 1:
        return {rng.choice(MEMBERS): value}
    if kind == 2:
        return {name: value, rng.choice(MEMBERS): rng.choice([*ODD_VALUES, *ODD_TEXTS])}
    if kind == 3:
        return {rng.choice(ODD_TEXTS): value}
    return {name: _changed(rng, value)}


def _replaced(rng: Random, value: Any) -> Any:
    kind = rng.randrange(12)
    if kind == 0:
        return [value] * rng.choice([1, 2, 300])
    if kind == 1:
        for _ in range(rng.choice([1, 5, 100])):
            value = [value]
        return value
    if kind == 2:
        return rng.choice(ODD_VALUES)
    if kind < 5 and isinstance(value, str):
        return value.swapcase()
    odd = rng.choice(ODD_TEXTS if kind < 7 else _OF_POLICIES)
    place = rng.randrange(len(value) + 1) if isinstance(value, str) and kind % 2 else None
    return odd if place is None else value[:place] + odd + value[place:]


def _edited(rng: Random, text: str) -> str:
    """The text with one piece of it doubled, lost, or exchanged."""
    start = rng.randrange(len(text) + 1)
    end = min(len(text), start + rng.choice([1, 1, 5, 40]))
    pieces = [
        text[start:end] * 2, "", "\\udc00", "\\ud83d\\ude00", "\\u0000", "\udc01", ",", "}", '"', "{" * 50, "[" * 5_000, "9" * 5_000, "1e999", "NaN",
        '"Effect":"Allow","Effect":"Deny",',
    ]  # fmt: skip
    return text[:start] + rng.choice(pieces) + text[end:]
