"""One evaluator: policies, grants and a request in, a decision with its reason out (AWS "Policy evaluation logic").

A Deny anywhere wins. Then the policy of what is asked for must allow it, or a grant: both either name the caller, or
leave it to the caller's account, whose identity policies then must allow it too. Across accounts these always must.
A permissions boundary and session policies must allow as well, unless the policy names the caller itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import lru_cache
from operator import itemgetter

from kms_server.iam.context import Context
from kms_server.iam.names import Names
from kms_server.iam.policy import compile_identity_policy
from kms_server.iam.principal import AttachedPolicy, Principal
from kms_server.iam.statement import CompiledPolicy, Statement


class Reason(StrEnum):
    """Why a call may or may not happen."""

    RESOURCE_POLICY = "a statement of the resource's policy allows it"
    GRANT = "a grant allows it"
    DELEGATED = "the resource's policy leaves it to the account and the caller's identity allows it"
    IDENTITY = "the caller's identity allows it"
    DENIED_BY_RESOURCE_POLICY = "an explicit deny in the resource's policy"
    DENIED_BY_IDENTITY = "an explicit deny in an identity policy"
    DENIED_BY_BOUNDARY = "an explicit deny in the permissions boundary"
    DENIED_BY_SESSION = "an explicit deny in a session policy"
    NO_RESOURCE_POLICY = "no statement of the resource's policy allows it, and no grant"
    NO_IDENTITY = "no identity policy allows it"
    NO_BOUNDARY = "the permissions boundary does not allow it"
    NO_SESSION = "no session policy allows it"


_ALLOWING = frozenset({Reason.RESOURCE_POLICY, Reason.GRANT, Reason.DELEGATED, Reason.IDENTITY})
# Grants come and go by themselves, and may allow where policies lack something.
_UNSETTLED = frozenset(
    {
        Reason.GRANT,
        Reason.NO_RESOURCE_POLICY,
        Reason.NO_IDENTITY,
        Reason.NO_BOUNDARY,
        Reason.NO_SESSION,
    }
)
_MOST_SETTLED = 64


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call may happen, why, and what decided: a statement of a policy, or a grant, by its id."""

    allowed: bool
    reason: Reason
    policy: str | None = None
    statement: str | None = None
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class Authority:
    """What a resource contributes to the decision about its use; `title` is what an explanation calls its policy."""

    account: str
    arn: str
    policy: CompiledPolicy
    title: str = "key policy"
    settled: dict[tuple[int, str], tuple[Principal, Decision | None]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def settle(self, principal: Principal, action: str, decision: Decision | None) -> None:
        """Remember the decision on all requests of a caller, None where it differs; the caller is kept, so its id is its own."""
        if len(self.settled) >= _MOST_SETTLED:
            self.settled.clear()
        self.settled[id(principal), action] = principal, decision


# From a grantee's name to the id of a grant under which the request at hand is allowed.
GrantLookup = Callable[[str], str | None]


class _Way(IntEnum):
    """How a policy or a grant names the caller; by a SUFFICIENT one it needs nothing else."""

    SUFFICIENT = 0
    ITSELF = 1
    ROLE = 2
    ACCOUNT = 3


# Nobody attaches policies to the root of an account: its identity allows everything.
ROOT_POLICIES = (
    AttachedPolicy(
        "root of the account",
        compile_identity_policy(
            '{"Statement":{"Sid":"everything","Effect":"Allow","Action":"*","Resource":"*"}}'
        ),
    ),
)


def no_grants(_grantee: str) -> None:
    """The lookup of what has no grants."""


def authorize(
    principal: Principal,
    action: str,
    resource: str | Authority,
    context: Context,
    *,
    grants: GrantLookup = no_grants,
) -> Decision:
    """Decide whether `principal` may perform `action` on a resource.

    One that is an ARN, or `*`, has no policy of its own: identity policies decide alone.
    """
    if isinstance(resource, str):
        asked = _Asked(principal, action, resource, context)
        return asked.denial(None) or asked.by_identity()
    known = resource.settled.get((id(principal), action))
    known = known if known is not None and known[0] is principal else None
    if known is not None and known[1] is not None:
        return known[1]
    asked = _Asked(principal, action, resource.arn, context)
    decision = asked.denial(resource) or asked.by_resource(resource, grants)
    if known is None:
        open_to_change = decision.reason in _UNSETTLED or asked.depends(resource)
        resource.settle(principal, action, None if open_to_change else decision)
    return decision


def may_change_policy(authority: Authority, principal: Principal, context: Context) -> bool:
    """Whether the caller could still replace the policy under `authority` (AWS's lockout safety check)."""
    return authorize(principal, "kms:PutKeyPolicy", authority, context).allowed


@dataclass(slots=True)
class _Asked:
    principal: Principal
    action: str
    arn: str
    context: Context

    def depends(self, authority: Authority) -> bool:
        """Whether a statement that speaks of the caller and the action asks for more than that."""
        caller, session = self.principal, self.principal.session
        limits = (caller.boundary,) if caller.boundary else ()
        of_session = (session.policies or ()) if session else ()
        attached = (policy.compiled for policy in (*caller.policies, *limits, *of_session))
        return any(one.covering(self.action).depends(caller.names) for one in (authority.policy, *attached))

    def denial(self, authority: Authority | None) -> Decision | None:
        """The decision of the first Deny that applies."""
        caller = self.principal
        found = self._first(caller.policies, allows=False)
        if found:
            return _decision(Reason.DENIED_BY_IDENTITY, *found)
        if authority is not None:
            for statement in authority.policy.covering(self.action).denying.of(caller.names):
                if statement.fits(self.arn, self.context):
                    return _decision(Reason.DENIED_BY_RESOURCE_POLICY, authority.title, statement.label)
        if caller.boundary is not None:
            found = self._first((caller.boundary,), allows=False)
            if found:
                return _decision(Reason.DENIED_BY_BOUNDARY, *found)
        if caller.session is not None and caller.session.policies:
            found = self._first(caller.session.policies, allows=False)
            if found:
                return _decision(Reason.DENIED_BY_SESSION, *found)
        return None

    def by_identity(self) -> Decision:
        """The decision where the caller's policies decide alone, if nothing denies."""
        return self._lacking(identity=True) or _decision(Reason.IDENTITY, *(self._own() or ()))

    def by_resource(self, authority: Authority, grants: GrantLookup) -> Decision:
        """The decision where the resource's policy has a say, if nothing denies."""
        foreign = authority.account != self.principal.account
        refusal: Decision | None = None
        for way, decision in self._openings(authority, grants, foreign=foreign):
            lacking = (
                None if way is _Way.SUFFICIENT else self._lacking(identity=foreign or way is _Way.ACCOUNT)
            )
            if lacking is None:
                return decision
            refusal = refusal or lacking
        return refusal or _decision(Reason.NO_RESOURCE_POLICY)

    def _openings(
        self, authority: Authority, grants: GrantLookup, *, foreign: bool
    ) -> Iterator[tuple[_Way, Decision]]:
        """What of the resource lets the caller in, its policy first, and how that names the caller."""
        names = self.principal.names
        for way, statement in self._said(authority):
            at_once = way is _Way.ITSELF and not foreign
            reason = Reason.DELEGATED if foreign or way is _Way.ACCOUNT else Reason.RESOURCE_POLICY
            yield _Way.SUFFICIENT if at_once else way, _decision(reason, authority.title, statement.label)
        own = frozenset() if self.principal.is_root else names.own | names.role
        for way, grantees in ((_Way.ITSELF, own), (_Way.ACCOUNT, names.account)):
            for grant in filter(None, map(grants, grantees)):
                yield way, Decision(allowed=True, reason=Reason.GRANT, grant=grant)

    def _said(self, authority: Authority) -> list[tuple[_Way, Statement]]:
        """The Allows of the resource's policy, one for each way of naming the caller, the best way first."""
        names = self.principal.names
        found: dict[_Way, Statement] = {}
        for statement in authority.policy.covering(self.action).allowing.of(names):
            way = _way(statement, names)
            if way not in found and statement.fits(self.arn, self.context):
                found[way] = statement
                if way is _Way.ITSELF:
                    break
        return sorted(found.items(), key=itemgetter(0))

    def _lacking(self, *, identity: bool) -> Decision | None:
        """The refusal where something that must allow does not: the identity's policies, the boundary, the session's."""
        if identity and self._own() is None:
            return _decision(Reason.NO_IDENTITY)
        boundary, session = self.principal.boundary, self.principal.session
        if boundary is not None and self._first((boundary,), allows=True) is None:
            return _decision(Reason.NO_BOUNDARY)
        if session is None or session.policies is None or self._first(session.policies, allows=True):
            return None
        return _decision(Reason.NO_SESSION)

    def _own(self) -> tuple[str, str] | None:
        """The Allow of the caller's identity."""
        return self._first(ROOT_POLICIES if self.principal.is_root else self.principal.policies, allows=True)

    def _first(self, policies: tuple[AttachedPolicy, ...], *, allows: bool) -> tuple[str, str] | None:
        """The first statement of one effect that fits, by policy and label."""
        names = self.principal.names
        for name, compiled in policies:
            covering = compiled.covering(self.action)
            for statement in (covering.allowing if allows else covering.denying).of(names):
                if statement.fits(self.arn, self.context):
                    return name, statement.label
        return None


def _way(statement: Statement, names: Names) -> _Way:
    listed = statement.principals
    if "*" in listed or not names.own.isdisjoint(listed):
        return _Way.ITSELF
    return _Way.ACCOUNT if names.role.isdisjoint(listed) else _Way.ROLE


@lru_cache(maxsize=4_096)
def _decision(reason: Reason, policy: str | None = None, statement: str | None = None) -> Decision:
    return Decision(reason in _ALLOWING, reason, policy, statement)
