"""What decides about one caller and one action on one resource, found among all policies before any request.

A plan holds the few statements that speak of the caller, the action and the resource, in the order in which they count;
a request then only asks their conditions.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from operator import itemgetter
from typing import NamedTuple

from kms_server.iam.context import NOTHING, Context
from kms_server.iam.decision import Decision, Reason
from kms_server.iam.names import Names
from kms_server.iam.policy import compile_identity_policy
from kms_server.iam.principal import AttachedPolicy, Principal
from kms_server.iam.statement import CompiledPolicy, Statement

# From a grantee's name to the id of a grant under which the request at hand is allowed.
GrantLookup = Callable[[str], str | None]

# Nobody attaches policies to the root of an account: its identity allows everything.
ROOT_POLICIES = (
    AttachedPolicy(
        "root of the account",
        compile_identity_policy(
            '{"Statement":{"Sid":"everything","Effect":"Allow","Action":"*","Resource":"*"}}'
        ),
    ),
)


_NO_RESOURCE_POLICY = Decision(allowed=False, reason=Reason.NO_RESOURCE_POLICY)
_NO_IDENTITY = Decision(allowed=False, reason=Reason.NO_IDENTITY)
_NO_BOUNDARY = Decision(allowed=False, reason=Reason.NO_BOUNDARY)
_NO_SESSION = Decision(allowed=False, reason=Reason.NO_SESSION)


def no_grants(_grantee: str) -> None:
    """The lookup of what has no grants."""


class _Way(IntEnum):
    """How a policy or a grant names the caller, the best way first."""

    ITSELF = 1
    ROLE = 2
    ACCOUNT = 3


class _Verdict(NamedTuple):
    """A statement, and the decision if it fits."""

    statement: Statement
    decision: Decision


class _Opening(NamedTuple):
    """An Allow of the resource's policy, and what must allow besides it."""

    statement: Statement
    decision: Decision
    needs_identity: bool
    needs_limits: bool


class _Grantee(NamedTuple):
    """A name under which the caller may have a grant."""

    name: str
    needs_identity: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """All that has a say; `settled` is the decision where no Deny applies and neither request nor grants matter.

    `boundary` and `session` are None where the caller has none, and so is `openings` for what has no policy of its own.
    """

    principal: Principal
    denials: tuple[_Verdict, ...]
    openings: tuple[_Opening, ...] | None
    grantees: tuple[_Grantee, ...]
    identity: tuple[_Verdict, ...]
    boundary: tuple[Statement, ...] | None
    session: tuple[Statement, ...] | None
    settled: Decision | None = None

    def decide(self, arn: str, context: Context, grants: GrantLookup) -> Decision:
        """The decision on one request."""
        for statement, decision in self.denials:
            if statement.fits(arn, context):
                return decision
        return self.settled or self.without_denials(arn, context, grants)

    def without_denials(self, arn: str, context: Context, grants: GrantLookup) -> Decision:
        """The decision on a request that nothing denies."""
        if self.openings is None:
            allowed = next((one.decision for one in self.identity if one.statement.fits(arn, context)), None)
            return self._lacking(arn, context, identity=False) or allowed if allowed else _NO_IDENTITY
        refusal: Decision | None = None
        for opening in self.openings:
            if opening.statement.fits(arn, context):
                if not (opening.needs_identity or opening.needs_limits):
                    return opening.decision
                lacking = self._lacking(arn, context, identity=opening.needs_identity)
                if lacking is None:
                    return opening.decision
                refusal = refusal or lacking
        for name, needs_identity in self.grantees:
            grant = grants(name)
            if grant is not None:
                lacking = self._lacking(arn, context, identity=needs_identity)
                if lacking is None:
                    return Decision(allowed=True, reason=Reason.GRANT, grant=grant)
                refusal = refusal or lacking
        return refusal or _NO_RESOURCE_POLICY

    def _lacking(self, arn: str, context: Context, *, identity: bool) -> Decision | None:
        """The refusal where something that must allow does not: the identity's policies, the boundary, the session's."""
        if identity and not any(one.statement.fits(arn, context) for one in self.identity):
            return _NO_IDENTITY
        if self.boundary is not None and not any(one.fits(arn, context) for one in self.boundary):
            return _NO_BOUNDARY
        if self.session is None or any(one.fits(arn, context) for one in self.session):
            return None
        return _NO_SESSION


def planned_alone(principal: Principal, action: str, arn: str) -> Plan:
    """The plan for what has no policy of its own."""
    return _Planner(principal, action, arn).plan(None)


def planned(
    principal: Principal, action: str, account: str, arn: str, policy: CompiledPolicy, title: str
) -> Plan:
    """The plan for a resource of an account with its policy; `title` is what an explanation calls that."""
    planner = _Planner(principal, action, arn)
    plan = planner.plan(AttachedPolicy(title, policy), foreign=account != principal.account)
    openings = (one.statement for one in plan.openings or ())
    identity = (one.statement for one in plan.identity)
    if any(map(_depends, (*openings, *identity, *(plan.boundary or ()), *(plan.session or ())))):
        return plan
    decision = plan.without_denials(arn, NOTHING, no_grants)
    # Grants come and go by themselves, and may allow where policies do not.
    return replace(plan, settled=decision) if decision.allowed else plan


def _depends(statement: Statement) -> bool:
    return bool(statement.conditions) or statement.resources.has_variables


@dataclass(frozen=True, slots=True)
class _Planner:
    principal: Principal
    action: str
    arn: str

    def plan(self, policy: AttachedPolicy | None, *, foreign: bool = False) -> Plan:
        caller = self.principal
        session = caller.session.policies if caller.session else None
        boundary = None if caller.boundary is None else (caller.boundary,)
        own = ROOT_POLICIES if caller.is_root else caller.policies
        return Plan(
            principal=caller,
            denials=(
                *self._verdicts(caller.policies, Reason.DENIED_BY_IDENTITY),
                *self._verdicts((policy,) if policy else (), Reason.DENIED_BY_RESOURCE_POLICY),
                *self._verdicts(boundary or (), Reason.DENIED_BY_BOUNDARY),
                *self._verdicts(session or (), Reason.DENIED_BY_SESSION),
            ),
            openings=None if policy is None else self._openings(policy, foreign=foreign),
            grantees=() if policy is None else self._grantees(foreign=foreign),
            identity=tuple(self._verdicts(own, Reason.IDENTITY, allows=True)),
            boundary=None if boundary is None else tuple(self._statements(boundary)),
            session=None if session is None else tuple(self._statements(session)),
        )

    def _openings(self, policy: AttachedPolicy, *, foreign: bool) -> tuple[_Opening, ...]:
        found: list[tuple[_Way, _Opening]] = []
        for statement in self._speaking(policy.compiled.covering(self.action).allowing):
            way = _way(statement, self.principal.names)
            needs_identity = foreign or way is _Way.ACCOUNT
            reason = Reason.DELEGATED if needs_identity else Reason.RESOURCE_POLICY
            decision = Decision(allowed=True, reason=reason, policy=policy.name, statement=statement.label)
            limited = foreign or way is not _Way.ITSELF
            found.append((way, _Opening(statement, decision, needs_identity, limited)))
        return tuple(opening for _, opening in sorted(found, key=itemgetter(0)))

    def _grantees(self, *, foreign: bool) -> tuple[_Grantee, ...]:
        names = self.principal.names
        direct = frozenset[str]() if self.principal.is_root else names.own | names.role
        return (
            *(_Grantee(name, needs_identity=foreign) for name in sorted(direct)),
            *(_Grantee(name, needs_identity=True) for name in sorted(names.account)),
        )

    def _verdicts(
        self, policies: Iterable[AttachedPolicy], reason: Reason, *, allows: bool = False
    ) -> Iterator[_Verdict]:
        for name, compiled in policies:
            covering = compiled.covering(self.action)
            for statement in self._speaking(covering.allowing if allows else covering.denying):
                yield _Verdict(
                    statement, Decision(allowed=allows, reason=reason, policy=name, statement=statement.label)
                )

    def _statements(self, policies: Iterable[AttachedPolicy]) -> Iterator[Statement]:
        for policy in policies:
            yield from self._speaking(policy.compiled.covering(self.action).allowing)

    def _speaking(self, statements: Sequence[Statement]) -> Iterator[Statement]:
        """Those that speak of the caller and, as far as it can be told without a request, of the resource."""
        for statement in statements:
            named = statement.speaks_of(self.principal.names)
            if named and (statement.resources.has_variables or statement.resources.match(self.arn, NOTHING)):
                yield statement


def _way(statement: Statement, names: Names) -> _Way:
    listed = statement.principals
    if "*" in listed or not names.own.isdisjoint(listed):
        return _Way.ITSELF
    return _Way.ACCOUNT if names.role.isdisjoint(listed) else _Way.ROLE
