"""Policies that keys are to have, and the check that their caller stays able to change them (AWS "lockout safety check")."""

from collections.abc import Mapping

from kms_server import errors as e
from kms_server.iam.evaluate import Authority, may_change_policy
from kms_server.iam.key_policies import default_key_policy
from kms_server.iam.policy import compile_key_policy
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.key import KmsKey
from kms_server.operations.call import Call, Conditions, by_lookup
from kms_server.operations.condition_keys import BYPASS, KEY, sent
from kms_server.operations.context import CallContext

_LOCKOUT = "The new key policy will not allow you to update the key policy in the future."
POLICY_NAME = "default"
# Of PutKeyPolicy, the call that a caller must stay able to make.
POLICY_CHANGE: Conditions = {**KEY, **BYPASS, "kms:PolicyName": sent("PolicyName", POLICY_NAME)}
_LATER = by_lookup(POLICY_CHANGE)


def new_policy(call: Call) -> str:
    """The policy of a new key: the one that was sent, else the default one."""
    policy: str | None = call.get("Policy")
    return default_key_policy(call.account) if policy is None else policy


def check_own_policy(call: Call, key: KmsKey, tags: Mapping[str, str]) -> None:
    """Check the policy that was sent for a new key with its tags.

    Raises:
        MalformedPolicyDocumentException, LimitExceededException
    """
    if call.get("Policy") is not None:
        _check(
            key,
            key.policy,
            CallContext(call, action="kms:PutKeyPolicy", planned=key, tags=tags, conditions=_LATER),
        )


def check_new_policy(call: Call, usable: UsableKey, policy: str) -> None:
    """Check the policy that a key is to have from now on.

    Raises:
        MalformedPolicyDocumentException, LimitExceededException
    """
    _check(usable.key, policy, CallContext(call, usable, "kms:PutKeyPolicy", conditions=_LATER))


def _check(key: KmsKey, policy: str, context: CallContext) -> None:
    """Refuse a key policy that is malformed or locks the caller out of changing it again."""
    compiled, call = compile_key_policy(policy), context.call
    if call.get("BypassPolicyLockoutSafetyCheck"):
        return
    if not may_change_policy(Authority(key.account, key.arn, compiled), call.principal, context):
        raise e.MalformedPolicyDocumentException(_LOCKOUT)
