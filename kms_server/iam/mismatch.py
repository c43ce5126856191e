"""Why a statement does not apply to a request, element by element and in words that its author can act on."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from kms_server.iam.conditions import Condition
from kms_server.iam.context import Context
from kms_server.iam.principal import Principal
from kms_server.iam.statement import Statement
from kms_server.iam.variables import Template, as_written, parse
from kms_server.iam.written import Written

_MOST_LISTED = 6


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One element of a statement, or of a grant, that does not fit the request."""

    element: str
    words: str


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked; `shown` has the ARNs of the unique ids by which policies name users and roles."""

    principal: Principal
    action: str
    resource: str
    context: Context
    shown: Mapping[str, str]

    @property
    def caller(self) -> str:
        """The caller as an explanation names it."""
        principal = self.principal
        issuer = principal.session.issuer if principal.session else None
        if issuer is None or issuer.kind != "Role":
            return principal.arn
        return f"{principal.arn}, a session of {issuer.arn}"

    def names(self, listed: Collection[str]) -> str:
        """A list of principals, by their ARNs."""
        return enumerated(sorted(self.shown.get(name, name) for name in listed))


def enumerated(texts: Collection[str]) -> str:
    """A list as a sentence has it, of which the first few are enough."""
    first = list(texts)[:_MOST_LISTED]
    more = len(texts) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def mismatches(
    statement: Statement, written: Written, question: Question, *, variables: bool
) -> tuple[Mismatch, ...]:
    """All that keeps a statement from applying; none when it does. `variables`: whether its document has them."""
    found: dict[str, Iterator[str]] = {
        "Action": _action(statement, written, question),
        "Principal": _principal(statement, question),
        "Resource": _resource(statement, written, question),
        "Condition": _conditions(statement, question, variables=variables),
    }
    return tuple(Mismatch(element, text) for element, texts in found.items() for text in texts)


def _action(statement: Statement, written: Written, question: Question) -> Iterator[str]:
    if statement.actions.match(question.action):
        return
    if statement.actions.inverted:
        yield f"leaves {question.action} out: NotAction is {enumerated(written.listed('NotAction'))}"
    elif "Action" in written.elements:
        yield f"does not speak of {question.action}: Action is {enumerated(written.listed('Action'))}"
    else:
        yield "has no Action, so it speaks of nothing"


def _principal(statement: Statement, question: Question) -> Iterator[str]:
    if statement.speaks_of(question.principal.names):
        return
    listed = question.names(statement.principals)
    if statement.principals_inverted:
        yield f"exempts the caller: NotPrincipal is {listed}"
    else:
        yield f"names {listed}, the caller is {question.caller}"


def _resource(statement: Statement, written: Written, question: Question) -> Iterator[str]:
    if statement.resources.match(question.resource, question.context):
        return
    subject = question.resource
    if subject == "*":
        subject = "a request that is about no single resource, only * does"
    if statement.resources.inverted:
        yield f"NotResource {enumerated(written.listed('NotResource'))} leaves out {question.resource}"
    elif "Resource" in written.elements:
        empty = _without_value(statement.resources.missing(question.context))
        yield f"Resource {enumerated(written.listed('Resource'))} does not cover {subject}{empty}"
    else:
        yield "has no Resource, so it covers nothing"


def _conditions(statement: Statement, question: Question, *, variables: bool) -> Iterator[str]:
    for condition in statement.conditions:
        if not condition.holds(question.context):
            wanted = enumerated(_texts(condition, question.context, variables=variables))
            given = question.context.values(condition.lookup)
            has = enumerated(given) if given else "none"
            yield f"Condition {condition.operator} {condition.key} {wanted}: the request has {has}"


def _texts(condition: Condition, context: Context, *, variables: bool) -> list[str]:
    return [_filled(text, context) if variables else text for text in condition.texts]


def _filled(text: str, context: Context) -> str:
    """A text, and behind it what its variables make of it for this request."""
    parsed = parse(text, as_written, variables=True)
    if not isinstance(parsed, Template):
        return text
    filled = parsed.fill(context)
    return text + (_without_value(parsed.missing(context)) if filled is None else f" (here {filled})")


def _without_value(keys: list[str]) -> str:
    return f" (the request has no single value for {enumerated(keys)})" if keys else ""
