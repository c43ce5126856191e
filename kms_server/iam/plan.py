"""What decides about one caller and one action, found among all policies before any request.

A plan holds the few statements that speak of the caller and the action, in the order in which they count; a request
then only asks their conditions, and whether they cover its resource.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from kms_server.iam.context import Context
from kms_server.iam.decision import Decision, Reason
from kms_server.iam.principal import Principal
from kms_server.iam.statement import Statement

# From a grantee's name to the id of a grant under which the request at hand is allowed.
GrantLookup = Callable[[str], str | None]

_NO_RESOURCE_POLICY = Decision(allowed=False, reason=Reason.NO_RESOURCE_POLICY)
_NO_IDENTITY = Decision(allowed=False, reason=Reason.NO_IDENTITY)
_NO_BOUNDARY = Decision(allowed=False, reason=Reason.NO_BOUNDARY)
_NO_SESSION = Decision(allowed=False, reason=Reason.NO_SESSION)


def no_grants(_grantee: str) -> None:
    """The lookup of what has no grants."""


class Verdict(NamedTuple):
    """A statement, and the decision if it fits."""

    statement: Statement
    decision: Decision


class Opening(NamedTuple):
    """An Allow of the resource's policy, and what must allow besides it."""

    statement: Statement
    decision: Decision
    needs_identity: bool
    needs_limits: bool


class Grantee(NamedTuple):
    """A name under which the caller may have a grant."""

    name: str
    needs_identity: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """All that has a say; `settled` is the decision where no Deny applies and neither request nor grants matter.

    `by_identity` tells that the caller's identity policies may allow by themselves. `boundary` and `session` are None
    where the caller has none.
    """

    principal: Principal
    denials: tuple[Verdict, ...]
    openings: tuple[Opening, ...]
    by_identity: bool
    grantees: tuple[Grantee, ...]
    identity: tuple[Verdict, ...]
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
        if not self.by_identity:
            return refusal or _NO_RESOURCE_POLICY
        allowed = next((one.decision for one in self.identity if one.statement.fits(arn, context)), None)
        if allowed is None:
            return refusal or _NO_IDENTITY
        return self._lacking(arn, context, identity=False) or allowed

    def _lacking(self, arn: str, context: Context, *, identity: bool) -> Decision | None:
        """The refusal where something that must allow does not: the identity's policies, the boundary, the session's."""
        if identity and not any(one.statement.fits(arn, context) for one in self.identity):
            return _NO_IDENTITY
        if self.boundary is not None and not any(one.fits(arn, context) for one in self.boundary):
            return _NO_BOUNDARY
        if self.session is None or any(one.fits(arn, context) for one in self.session):
            return None
        return _NO_SESSION
