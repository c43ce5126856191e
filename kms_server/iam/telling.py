"""Stories as text for a terminal, and as JSON."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from kms_server.iam.grant_story import GrantStory
from kms_server.iam.mismatch import Mismatch
from kms_server.iam.story import Place, PolicyStory, StatementStory, Story

WIDTH = 100
_KEPT = 30


def as_text(story: Story) -> str:
    """A story in lines of up to 100 characters, unless a name is longer."""
    verdict = "ALLOWED" if story.decision.allowed else "DENIED"
    lines = [
        f"{verdict}: {story.decision.reason}",
        "",
        *_fields(("principal", story.principal), ("action", story.action), ("resource", story.resource)),
        *_decided(story),
    ]
    for policy in story.policies:
        lines += ["", _heading(policy), *_rows(policy)]
    if not story.at(Place.IDENTITY):
        lines += ["", "identity policies: none"]
    if story.grants:
        lines += ["", "grants on the key", *(line for grant in story.grants for line in _grant(grant))]
        lines += [f"  and {story.untold} more, for others"] if story.untold else []
    if story.advice:
        helps = (line for one in story.advice for line in _wrapped(one, "  - ", "    "))
        lines += ["", "what would help", *helps]
    return "\n".join(map(_printable, lines))


def as_json(story: Story) -> dict[str, Any]:
    """A story as a JSON object."""
    decision = story.decision
    return {
        "principal": story.principal,
        "action": story.action,
        "resource": story.resource,
        "decision": {
            "allowed": decision.allowed,
            "reason": decision.reason.value,
            "policy": decision.policy,
            "statement": decision.statement,
            "grant": decision.grant,
        },
        "policies": [_policy(one) for one in story.policies],
        "grants": [_granted(one) for one in story.grants],
        "moreGrants": story.untold,
        "advice": list(story.advice),
    }


def _policy(story: PolicyStory) -> dict[str, Any]:
    statements = [_statement(one) for one in story.statements]
    return {"kind": story.place.value, "name": story.name, "statements": statements}


def _granted(story: GrantStory) -> dict[str, Any]:
    return {
        "id": story.grant_id,
        "name": story.name,
        "grantee": story.grantee,
        "operations": list(story.operations),
        "matched": story.matched,
        "mismatches": _mismatches(story.mismatches),
    }


def _statement(story: StatementStory) -> dict[str, Any]:
    return {
        "statement": story.label,
        "effect": "Allow" if story.allows else "Deny",
        "matched": story.matched,
        "note": story.note,
        "mismatches": _mismatches(story.mismatches),
    }


def _mismatches(found: Sequence[Mismatch]) -> list[dict[str, str]]:
    return [{"element": one.element, "words": one.words} for one in found]


def _fields(*pairs: tuple[str, str]) -> list[str]:
    return [f"  {name:<11}{value}" for name, value in pairs]


def _decided(story: Story) -> list[str]:
    decision = story.decision
    if decision.grant is not None:
        return _fields(("decided by", f"grant {decision.grant}"))
    return _fields(("decided by", f"{decision.statement!r} of {decision.policy}")) if decision.policy else []


def _heading(policy: PolicyStory) -> str:
    return policy.name if policy.place is Place.RESOURCE else f"{policy.place}: {policy.name}"


def _rows(policy: PolicyStory) -> Iterator[str]:
    width = min(max(len(one.label) for one in policy.statements), _KEPT)
    for one in policy.statements:
        effect = "Allow" if one.allows else "Deny "
        words = [each.words for each in one.mismatches] or [one.note]
        yield from _row("applies" if one.matched else "no", f"{effect}  {one.label:<{width}}", words)


def _grant(grant: GrantStory) -> Iterator[str]:
    title = f"{grant.grant_id[:12]}…  {grant.name or ''}".rstrip()
    words = [each.words for each in grant.mismatches] or [""]
    yield from _row("applies" if grant.matched else "no", title, words)


def _row(verdict: str, title: str, words: Sequence[str]) -> Iterator[str]:
    """A verdict, what it is about, and the reasons one below the other."""
    before = f"  {verdict:<8} {title}  "
    if len(before) > WIDTH // 2:
        yield before.rstrip()
        before = " " * 11
    for text in words:
        yield from (line.rstrip() for line in _wrapped(text, before, " " * (len(before) + 2)))
        before = " " * len(before)


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    wrapper = textwrap.TextWrapper(WIDTH, first, rest, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(text) or [first.rstrip()]


def _printable(line: str) -> str:
    """A line that no policy can make a terminal obey."""
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in line)
