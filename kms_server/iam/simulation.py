"""Simulated requests (AWS "IAM policy simulator"): what policies say that are attached, given, or both.

Every decision is one of `authorize`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from kms_server.arn import Arn
from kms_server.iam import written
from kms_server.iam.authority import Authority, Rule
from kms_server.iam.context import FixedContext
from kms_server.iam.decision import Decision
from kms_server.iam.evaluate import authorize
from kms_server.iam.names import Names
from kms_server.iam.principal import AttachedPolicy, Principal
from kms_server.iam.statement import CompiledPolicy, Statement
from kms_server.iam.variables import Template, as_written, parse
from kms_server.iam.written import Document

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"
_RANKS = (ALLOWED, IMPLICIT_DENY, EXPLICIT_DENY)
# Their resources' policies must allow, or leave it to identity policies; other resources' may allow by themselves.
_RULED_BY_RESOURCE = ("kms", "sts")
_OPTIONAL = ("Null", "IfExists")
# Comparisons that take about as long as to ask a statement.
_COMPARED_AT_ONCE = 10


def strictest(decisions: Sequence[str]) -> str:
    """The most restrictive of several decisions."""
    return max(decisions, key=_RANKS.index)


@dataclass(frozen=True, eq=False)
class Source:
    """A policy, by the id and the kind that a simulation calls it."""

    policy_id: str
    kind: str
    policy: CompiledPolicy
    _speaking: dict[str, "tuple[Spoken, ...]"] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, policy_id: str, kind: str, compiled: CompiledPolicy) -> "Source":
        """A copy of a policy for actions that a client names, so that nothing of them is kept with the original."""
        statements = (replace(one, label=str(place)) for place, one in enumerate(compiled.statements))
        return cls(policy_id, kind, CompiledPolicy(tuple(statements), compiled.text))

    @cached_property
    def document(self) -> Document:
        """The policy as it was written."""
        return written.read(self.policy.text)

    def attached(self) -> AttachedPolicy:
        """The policy as the evaluator takes it."""
        return AttachedPolicy(self.policy_id, self.policy)

    def speaking(self, action: str, names: Names) -> "tuple[Spoken, ...]":
        """The statements about an action and a caller, worked out once per action: a source has one caller."""
        found = self._speaking.get(action)
        if found is None:
            written_ones = zip(self.policy.statements, self.document.statements, strict=True)
            found = tuple(
                Spoken(statement, Match(self, *map(self.document.position, (one.start, one.end))))
                for statement, one in written_ones
                if statement.actions.match(action) and statement.speaks_of(names)
            )
            self._speaking[action] = found
        return found


@dataclass(frozen=True, slots=True)
class Match:
    """A statement that decides: its policy, and the line and column of its beginning and its end."""

    source: Source
    start: tuple[int, int]
    end: tuple[int, int]


class Spoken(NamedTuple):
    """A statement about an action and a caller, and how an answer refers to it."""

    statement: Statement
    match: Match


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of one action on one resource.

    `missing` are condition keys that policies ask for and the request has not. `bounded` and `organized` are whether
    the permissions boundary and the service control policies allow it; None where there are none. `by_kind` is what
    each kind of policy says, where more than one account has a say.
    """

    decision: str
    matches: tuple[Match, ...]
    missing: tuple[str, ...]
    bounded: bool | None
    organized: bool | None
    by_kind: dict[str, str]


@dataclass(frozen=True)
class Simulation:
    """Policies, a caller that has no others, and the condition keys of its requests.

    `resource` is the policy that every resource is treated as if it had, `owner` the account of resources that do not
    tell (None: the caller's). `levels` are the service control policies from an organization's root downwards.
    """

    caller: Principal
    identity: tuple[Source, ...]
    boundary: Source | None
    resource: Source | None
    owner: str | None
    context: FixedContext
    levels: tuple[tuple[Source, ...], ...] = ()
    _asked: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @cached_property
    def size(self) -> int:
        """How many statements there are."""
        return len(self._statements)

    @cached_property
    def cost(self) -> int:
        """What one action on one resource costs, in statements; one with many texts to compare counts as several."""
        return sum(1 + _compared(one, self.context) // _COMPARED_AT_ONCE for one in self._statements)

    @cached_property
    def _statements(self) -> tuple[Statement, ...]:
        sources = (*self._sources(boundary=True), *chain.from_iterable(self.levels))
        return tuple(statement for one in sources for statement in one.policy.statements)

    @cached_property
    def _principal(self) -> Principal:
        """The caller with its policies."""
        boundary = self.boundary.attached() if self.boundary else None
        return replace(
            self.caller, policies=tuple(one.attached() for one in self.identity), boundary=boundary
        )

    def outcome(self, action: str, arn: str) -> Outcome:
        """What comes of an action on a resource."""
        verdict = _verdict(self._decide(action, arn))
        organized = [self._verdict_of(level, action, arn) for level in self.levels]
        decision = strictest([verdict, *organized])
        matches = self._matches(verdict, action, arn) if decision == verdict else ()
        bounded = self._verdict_of([self.boundary], action, arn) == ALLOWED if self.boundary else None
        return Outcome(
            decision, tuple(matches), self._missing(action), bounded,
            strictest(organized) == ALLOWED if organized else None, self._by_kind(action, arn),
        )  # fmt: skip

    def _account(self, arn: str) -> str:
        """Whose a resource is."""
        parsed = Arn.parse(arn)
        return (parsed.account if parsed else "") or self.owner or self.caller.account

    def _decide(self, action: str, arn: str) -> Decision:
        principal = self._principal
        if self.resource is None:
            return authorize(principal, action, arn, self.context)
        shares = action.partition(":")[0].lower() not in _RULED_BY_RESOURCE
        authority = Authority(
            self._account(arn), arn, self.resource.policy, "resource policy", Rule(shares=shares)
        )
        return authorize(principal, action, authority, self.context)

    def _matches(self, verdict: str, action: str, arn: str) -> Iterator[Match]:
        if verdict == IMPLICIT_DENY:
            return
        for source in self._sources(boundary=verdict == EXPLICIT_DENY):
            for statement, match in source.speaking(action, self.caller.names):
                if statement.allows == (verdict == ALLOWED) and statement.fits(arn, self.context):
                    yield match

    def _missing(self, action: str) -> tuple[str, ...]:
        """The keys, as they are written first, of conditions that ask for a value."""
        if action not in self._asked:
            found: dict[str, str] = {}
            for source in self._sources(boundary=True):
                for statement, _ in source.speaking(action, self.caller.names):
                    for name in _asked_for(statement, self.context, variables=source.document.variables):
                        if not self.context.values(name.lower()):
                            found.setdefault(name.lower(), name)
            self._asked[action] = tuple(sorted(found.values()))
        return self._asked[action]

    def _verdict_of(self, sources: Sequence[Source], action: str, arn: str) -> str:
        """What policies say by themselves."""
        said = {
            statement.allows
            for source in sources
            for statement, _ in source.speaking(action, self.caller.names)
            if statement.fits(arn, self.context)
        }
        if False in said:
            return EXPLICIT_DENY
        return ALLOWED if said else IMPLICIT_DENY

    def _by_kind(self, action: str, arn: str) -> dict[str, str]:
        if self.resource is None or self._account(arn) == self.caller.account:
            return {}
        kinds = {"IAM Policy": self.identity, "Resource Policy": (self.resource,)}
        if self.boundary is not None:
            kinds["Permissions Boundary"] = (self.boundary,)
        return {kind: self._verdict_of(one, action, arn) for kind, one in kinds.items()}

    def _sources(self, *, boundary: bool) -> list[Source]:
        limits = (self.boundary,) if boundary else ()
        return [one for one in (*self.identity, self.resource, *limits) if one is not None]


def _compared(statement: Statement, context: FixedContext) -> int:
    """How many texts a statement compares at most."""
    patterns = len(statement.actions.patterns) + len(statement.resources.patterns)
    return patterns + sum(len(one.texts) * len(context.values(one.lookup)) for one in statement.conditions)


def _verdict(decision: Decision) -> str:
    if decision.allowed:
        return ALLOWED
    return EXPLICIT_DENY if decision.statement is not None else IMPLICIT_DENY


def _asked_for(statement: Statement, context: FixedContext, *, variables: bool) -> Iterator[str]:
    for condition in statement.conditions:
        if not condition.operator.endswith(_OPTIONAL):
            yield condition.key
        for text in condition.texts if variables else ():
            parsed = parse(text, as_written, variables=True)
            yield from parsed.missing(context) if isinstance(parsed, Template) else ()
    yield from statement.resources.missing(context)
