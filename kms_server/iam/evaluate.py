"""One evaluator: policies, grants and a request in, a decision with its reason out (AWS "Policy evaluation logic").

A Deny anywhere wins. Then the policy of what is asked for must allow it, or a grant: both either name the caller, or
leave it to the caller's account, whose identity policies then must allow it too. Across accounts these always must.
A permissions boundary and session policies must allow as well, unless the policy names the caller itself.
"""

from dataclasses import dataclass, field

from kms_server.iam.context import Context
from kms_server.iam.decision import Decision
from kms_server.iam.plan import GrantLookup, Plan, no_grants, planned, planned_alone
from kms_server.iam.principal import Principal
from kms_server.iam.statement import CompiledPolicy

_MOST_PLANS = 64


@dataclass(frozen=True, slots=True)
class Authority:
    """What a resource contributes to the decision about its use; `title` is what an explanation calls its policy."""

    account: str
    arn: str
    policy: CompiledPolicy
    title: str = "key policy"
    _plans: dict[tuple[int, str], Plan] = field(default_factory=dict, repr=False, compare=False)

    def plan(self, principal: Principal, action: str) -> Plan:
        """What decides about a caller and an action, worked out once.

        A plan keeps its caller, so that the caller's id stays its own. Callers and authorities are loaded anew when
        anything of them changes, so a plan cannot be older than they are.
        """
        found = self._plans.get((id(principal), action))
        if found is None or found.principal is not principal:
            found = planned(principal, action, self.account, self.arn, self.policy, self.title)
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[id(principal), action] = found
        return found


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
        return planned_alone(principal, action, resource).decide(resource, context, grants)
    return resource.plan(principal, action).decide(resource.arn, context, grants)


def may_change_policy(authority: Authority, principal: Principal, context: Context) -> bool:
    """Whether the caller could still replace the policy under `authority` (AWS's lockout safety check)."""
    return authorize(principal, "kms:PutKeyPolicy", authority, context).allowed
