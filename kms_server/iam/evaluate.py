"""One evaluator: policies and a request in, a decision with its reason out (AWS "Policy evaluation logic").

Conditions are not evaluated yet: an Allow that has one does not match, a Deny that has one does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from kms_server.arn import root_arn
from kms_server.iam.policy import CompiledPolicy, Statement
from kms_server.iam.principal import Principal


class Reason(Enum):
    """Why a call may or may not happen."""

    KEY_POLICY = "a statement of the key policy allows it"
    DELEGATED = "the key policy leaves it to the account and the caller's identity allows it"
    IDENTITY = "the caller's identity allows it"
    DENIED_BY_KEY_POLICY = "an explicit deny in the key policy"
    DENIED_BY_IDENTITY = "an explicit deny in an identity policy"
    NO_KEY_POLICY = "no statement of the key policy allows it"
    NO_IDENTITY = "no identity policy allows it"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call may happen, why, and the Sid of the statement that decided, where one did."""

    allowed: bool
    reason: Reason
    statement: str | None = None


@dataclass(frozen=True, slots=True)
class KeyAuthority:
    """What a key contributes to the decision about its use."""

    account: str
    arn: str
    policy: CompiledPolicy


def authorize(principal: Principal, action: str, *, key: KeyAuthority | None, resource_arn: str) -> Decision:
    """Decide whether `principal` may perform `action`; without a key identity policies decide alone."""
    identity = _identity(principal, action, resource_arn)
    if key is None or identity.reason is Reason.DENIED_BY_IDENTITY:
        return identity
    named = _matching(_naming(key.policy, principal), action, key.arn)
    denial = next((one for one in named if not one.allows), None)
    if denial is not None:
        return Decision(allowed=False, reason=Reason.DENIED_BY_KEY_POLICY, statement=denial.sid)
    if not named:
        return Decision(allowed=False, reason=Reason.NO_KEY_POLICY)
    same_account = principal.account == key.account
    direct = next((one for one in named if same_account and _names_directly(one, principal)), None)
    if direct is not None:
        return Decision(allowed=True, reason=Reason.KEY_POLICY, statement=direct.sid)
    # The key policy delegates to the account's root, or the caller is of another account, where both must agree.
    if identity.allowed:
        return Decision(allowed=True, reason=Reason.DELEGATED, statement=named[0].sid)
    return identity


def may_change_policy(key: KeyAuthority, principal: Principal) -> bool:
    """Whether the caller could still replace the policy under `key` (AWS's lockout safety check)."""
    return authorize(principal, "kms:PutKeyPolicy", key=key, resource_arn=key.arn).allowed


def _identity(principal: Principal, action: str, resource_arn: str) -> Decision:
    if principal.is_root:
        return Decision(allowed=True, reason=Reason.IDENTITY)
    statements = (one for policy in principal.policies for one in policy.statements)
    matching = _matching(statements, action, resource_arn)
    denial = next((one for one in matching if not one.allows), None)
    if denial is not None:
        return Decision(allowed=False, reason=Reason.DENIED_BY_IDENTITY, statement=denial.sid)
    allowing = next((one for one in matching if one.allows), None)
    if allowing is None:
        return Decision(allowed=False, reason=Reason.NO_IDENTITY)
    return Decision(allowed=True, reason=Reason.IDENTITY, statement=allowing.sid)


def _matching(statements: Iterable[Statement], action: str, resource: str) -> list[Statement]:
    return [
        one
        for one in statements
        if not (one.allows and one.has_condition)
        and one.actions.match(action)
        and one.resources.match(resource)
    ]


def _naming(policy: CompiledPolicy, principal: Principal) -> Iterable[Statement]:
    own = {"*", principal.arn, root_arn(principal.account)}
    return (
        one
        for one in policy.statements
        if one.principals is not None and bool(one.principals & own) != one.principals_inverted
    )


def _names_directly(statement: Statement, principal: Principal) -> bool:
    """Whether a statement grants by itself; one that names the account's root only delegates to it."""
    assert statement.principals is not None  # noqa: S101 - statements of key policies have principals
    if statement.principals_inverted or "*" in statement.principals:
        return True
    return principal.arn in statement.principals
