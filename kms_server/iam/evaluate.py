"""One evaluator: policies and a request in, a decision with its reason out (AWS "Policy evaluation logic").

Conditions are not evaluated yet: an Allow that has one does not match, a Deny that has one does.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from kms_server.iam.policy import compile_identity_policy
from kms_server.iam.principal import Principal
from kms_server.iam.statement import CompiledPolicy, Statement


class Reason(StrEnum):
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


_ALLOWING = frozenset({Reason.KEY_POLICY, Reason.DELEGATED, Reason.IDENTITY})
# Nobody attaches policies to the root of an account: its identity allows everything.
_IDENTITY_OF_ROOT = compile_identity_policy(
    '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
).statements[0]


def authorize(principal: Principal, action: str, *, key: KeyAuthority | None, resource_arn: str) -> Decision:
    """Decide whether `principal` may perform `action`; without a key identity policies decide alone."""
    own = _deciding_in_identity(principal, action, resource_arn)
    if own is not None and not own.allows:
        return _decision(Reason.DENIED_BY_IDENTITY, own.sid)
    if key is not None:
        return _with_key(principal, action, key, own)
    return _decision(Reason.NO_IDENTITY) if own is None else _decision(Reason.IDENTITY, own.sid)


def _with_key(principal: Principal, action: str, key: KeyAuthority, own: Statement | None) -> Decision:
    """The decision where a key policy has a say; `own` is the Allow of the caller's identity, if any."""
    said = _deciding_in_key_policy(principal, action, key)
    if said is None:
        return _decision(Reason.NO_KEY_POLICY)
    if not said.allows:
        return _decision(Reason.DENIED_BY_KEY_POLICY, said.sid)
    if principal.account == key.account and _names_directly(said, principal):
        return _decision(Reason.KEY_POLICY, said.sid)
    # The key policy delegates to the account's root, or the caller is of another account, where both must agree.
    return _decision(Reason.NO_IDENTITY) if own is None else _decision(Reason.DELEGATED, said.sid)


@lru_cache(maxsize=4_096)
def _decision(reason: Reason, statement: str | None = None) -> Decision:
    return Decision(reason in _ALLOWING, reason, statement)


def may_change_policy(key: KeyAuthority, principal: Principal) -> bool:
    """Whether the caller could still replace the policy under `key` (AWS's lockout safety check)."""
    return authorize(principal, "kms:PutKeyPolicy", key=key, resource_arn=key.arn).allowed


def _deciding_in_identity(principal: Principal, action: str, resource_arn: str) -> Statement | None:
    """The Deny, else an Allow, of the caller's own policies."""
    if principal.is_root:
        return _IDENTITY_OF_ROOT
    allowing: Statement | None = None
    for policy in principal.policies:
        for one in policy.covering(action):
            if not one.resources.match(resource_arn):
                continue
            if not one.allows:
                return one
            if not one.has_condition:
                allowing = allowing or one
    return allowing


def _deciding_in_key_policy(principal: Principal, action: str, key: KeyAuthority) -> Statement | None:
    """The Deny, else an Allow that names the caller itself, else one that names its account."""
    delegating: Statement | None = None
    for one in key.policy.covering(action):
        if not (_applies(one, principal) and one.resources.match(key.arn)):
            continue
        # Denials come first, so none can follow an Allow.
        if not one.allows:
            return one
        if one.has_condition:
            continue
        if _names_directly(one, principal):
            return one
        delegating = delegating or one
    return delegating


def _applies(statement: Statement, principal: Principal) -> bool:
    listed = statement.principals
    if statement.principals_inverted:
        # AWS "NotPrincipal": exempt is who is listed together with its account; either alone exempts nobody.
        return not ("*" in listed or principal.names <= listed)
    return "*" in listed or not principal.names.isdisjoint(listed)


def _names_directly(statement: Statement, principal: Principal) -> bool:
    """Whether an Allow grants by itself; one that names the account's root only delegates to it."""
    return principal.arn in statement.principals or "*" in statement.principals
