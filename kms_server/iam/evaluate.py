"""One evaluator: policies, grants and a request in, a decision with its reason out (AWS "Policy evaluation logic").

A Deny anywhere wins. Then the policy of what is asked for must allow it, or a grant: both either name the caller, or
leave it to the caller's account, whose identity policies then must allow it too. Across accounts these always must.
Some kinds of resources, such as buckets, always leave it to their own account as well. A permissions boundary and
session policies must allow too, unless the policy names the caller itself.
"""

from kms_server.iam.authority import Authority, planned_alone
from kms_server.iam.context import Context
from kms_server.iam.decision import Decision
from kms_server.iam.plan import GrantLookup, no_grants
from kms_server.iam.principal import Principal


def authorize(
    principal: Principal,
    action: str,
    resource: str | Authority,
    context: Context,
    *,
    arn: str | None = None,
    grants: GrantLookup = no_grants,
) -> Decision:
    """Decide whether `principal` may perform `action` on a resource.

    One that is an ARN, or `*`, has no policy of its own: identity policies decide alone. Where a policy spans several
    resources `arn` is the one that is asked for.
    """
    if isinstance(resource, str):
        return planned_alone(principal, action, resource).decide(resource, context, grants)
    return resource.plan(principal, action).decide(arn or resource.arn, context, grants)


def may_change_policy(authority: Authority, principal: Principal, context: Context) -> bool:
    """Whether the caller could still replace the policy under `authority` (AWS's lockout safety check)."""
    return authorize(principal, "kms:PutKeyPolicy", authority, context).allowed
