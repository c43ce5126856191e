"""What a resource contributes to the decision about its use, and the plans that come of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from operator import itemgetter

from kms_server.iam.context import NOTHING
from kms_server.iam.decision import Decision, Reason
from kms_server.iam.names import Names
from kms_server.iam.plan import Grantee, Opening, Plan, Verdict, no_grants
from kms_server.iam.policy import compile_identity_policy
from kms_server.iam.principal import AttachedPolicy, Principal
from kms_server.iam.statement import CompiledPolicy, Statement

_MOST_PLANS = 64

# Nobody attaches policies to the root of an account: its identity allows everything.
ROOT_POLICIES = (
    AttachedPolicy(
        "root of the account",
        compile_identity_policy(
            '{"Statement":{"Sid":"everything","Effect":"Allow","Action":"*","Resource":"*"}}'
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a policy means beside those of the caller; keys and roles have the default.

    `spans`: it is about many resources, of which each request names one. `shares`: in the resource's account the identity
    policies allow by themselves, too. `closed`: it lets nobody in from elsewhere. `undeniable` are the actions that it
    cannot deny to the root of the account.
    """

    spans: bool = False
    shares: bool = False
    closed: bool = False
    undeniable: frozenset[str] = frozenset()


_RULED = Rule()


@dataclass(frozen=True, slots=True)
class Authority:
    """A resource of an account with its policy; `title` is what an explanation calls that.

    `arn` is that of the resource itself, where the policy spans several that of the one that has it.
    """

    account: str
    arn: str
    policy: CompiledPolicy
    title: str = "key policy"
    rule: Rule = _RULED
    _plans: dict[tuple[int, str], Plan] = field(default_factory=dict, repr=False, compare=False)

    def plan(self, principal: Principal, action: str) -> Plan:
        """What decides about a caller and an action, worked out once.

        A plan keeps its caller, so that the caller's id stays its own. Callers and authorities are loaded anew when
        anything of them changes, so a plan cannot be older than they are.
        """
        found = self._plans.get((id(principal), action))
        if found is None or found.principal is not principal:
            found = self._planned(principal, action)
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[id(principal), action] = found
        return found

    def _planned(self, principal: Principal, action: str) -> Plan:
        plan = _Planner(principal, action, None if self.rule.spans else self.arn).under(self)
        openings = (one.statement for one in plan.openings)
        identity = (one.statement for one in plan.identity)
        asked = (*openings, *identity, *(plan.boundary or ()), *(plan.session or ()))
        if any(_depends(one, spans=self.rule.spans) for one in asked):
            return plan
        decision = plan.without_denials(self.arn, NOTHING, no_grants)
        # Grants come and go by themselves, and may allow where policies do not.
        return replace(plan, settled=decision) if decision.allowed else plan


def planned_alone(principal: Principal, action: str, arn: str) -> Plan:
    """The plan for what has no policy of its own: identity policies decide."""
    return _Planner(principal, action, arn).alone()


def _depends(statement: Statement, *, spans: bool) -> bool:
    """Whether it takes a request to tell if a statement fits."""
    resources = statement.resources
    return bool(statement.conditions) or resources.has_variables or (spans and not resources.everything)


@dataclass(frozen=True, slots=True)
class _Planner:
    """Finds what has a say about a caller and an action; `arn` is None where requests tell the resource."""

    principal: Principal
    action: str
    arn: str | None

    def alone(self, denials: Iterable[Verdict] = ()) -> Plan:
        """The plan without a policy of the resource; `denials` are others than the caller's own."""
        caller = self.principal
        session = caller.session.policies if caller.session else None
        boundary = None if caller.boundary is None else (caller.boundary,)
        own = ROOT_POLICIES if caller.is_root else caller.policies
        return Plan(
            principal=caller,
            denials=(
                *self._verdicts(caller.policies, Reason.DENIED_BY_IDENTITY),
                *denials,
                *self._verdicts(boundary or (), Reason.DENIED_BY_BOUNDARY),
                *self._verdicts(session or (), Reason.DENIED_BY_SESSION),
            ),
            openings=(),
            by_identity=True,
            grantees=(),
            identity=tuple(self._verdicts(own, Reason.IDENTITY, allows=True)),
            boundary=None if boundary is None else tuple(self._statements(boundary)),
            session=None if session is None else tuple(self._statements(session)),
        )

    def under(self, authority: Authority) -> Plan:
        """The plan with a policy of the resource."""
        caller, rule = self.principal, authority.rule
        policy = AttachedPolicy(authority.title, authority.policy)
        foreign = authority.account != caller.account
        exempt = caller.is_root and not foreign and self.action in rule.undeniable
        denials = () if exempt else self._verdicts((policy,), Reason.DENIED_BY_RESOURCE_POLICY)
        return replace(
            self.alone(denials),
            openings=()
            if foreign and rule.closed and not caller.is_service
            else self._openings(policy, foreign=foreign),
            by_identity=rule.shares and not foreign,
            grantees=self._grantees(foreign=foreign),
        )

    def _openings(self, policy: AttachedPolicy, *, foreign: bool) -> tuple[Opening, ...]:
        found: list[tuple[_Way, Opening]] = []
        for statement in self._speaking(policy.compiled.covering(self.action).allowing):
            way = _way(statement, self.principal.names)
            # Who has no identity that could allow anything needs no more than the policy.
            needs_identity = way is _Way.ACCOUNT or (foreign and self.principal.has_identity)
            reason = Reason.DELEGATED if needs_identity else Reason.RESOURCE_POLICY
            decision = Decision(allowed=True, reason=reason, policy=policy.name, statement=statement.label)
            limited = foreign or way is not _Way.ITSELF
            found.append((way, Opening(statement, decision, needs_identity, limited)))
        return tuple(opening for _, opening in sorted(found, key=itemgetter(0)))

    def _grantees(self, *, foreign: bool) -> tuple[Grantee, ...]:
        names = self.principal.names
        direct = frozenset[str]() if self.principal.is_root else names.own | names.role
        return (
            *(Grantee(name, needs_identity=foreign) for name in sorted(direct)),
            *(Grantee(name, needs_identity=True) for name in sorted(names.account)),
        )

    def _verdicts(
        self, policies: Iterable[AttachedPolicy], reason: Reason, *, allows: bool = False
    ) -> Iterator[Verdict]:
        for name, compiled in policies:
            covering = compiled.covering(self.action)
            for statement in self._speaking(covering.allowing if allows else covering.denying):
                yield Verdict(
                    statement, Decision(allowed=allows, reason=reason, policy=name, statement=statement.label)
                )

    def _statements(self, policies: Iterable[AttachedPolicy]) -> Iterator[Statement]:
        for policy in policies:
            yield from self._speaking(policy.compiled.covering(self.action).allowing)

    def _speaking(self, statements: Sequence[Statement]) -> Iterator[Statement]:
        """Those that speak of the caller and, as far as it can be told without a request, of the resource."""
        for statement in statements:
            if statement.speaks_of(self.principal.names) and self._may_cover(statement):
                yield statement

    def _may_cover(self, statement: Statement) -> bool:
        resources = statement.resources
        return self.arn is None or resources.has_variables or resources.match(self.arn, NOTHING)


class _Way(IntEnum):
    """How a policy or a grant names the caller, the best way first."""

    ITSELF = 1
    ROLE = 2
    ACCOUNT = 3


def _way(statement: Statement, names: Names) -> _Way:
    listed = statement.principals
    if "*" in listed or not names.own.isdisjoint(listed):
        return _Way.ITSELF
    return _Way.ACCOUNT if names.role.isdisjoint(listed) else _Way.ROLE
