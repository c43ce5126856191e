"""Policies that keys are to have, and the check that their caller stays able to change them (AWS "lockout safety check")."""

from collections.abc import Mapping

from kms_server import errors as e
from kms_server.iam.authority import Authority
from kms_server.iam.evaluate import may_change_policy
from kms_server.iam.key_policies import default_key_policy
from kms_server.iam.policy import compile_key_policy
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.key import KmsKey
from kms_server.operations import principals
from kms_server.operations.call import Call, Conditions, by_lookup
from kms_server.operations.condition_keys import BYPASS, KEY, sent
from kms_server.operations.context import CallContext

_LOCKOUT = "The new key policy will not allow you to update the key policy in the future."
POLICY_NAME = "default"
# Of PutKeyPolicy, the call that a caller must stay able to make.
POLICY_CHANGE: Conditions = {**KEY, **BYPASS, "kms:PolicyName": sent("PolicyName", POLICY_NAME)}
_LATER = by_lookup(POLICY_CHANGE)


def new_policy(call: Call, planned: KmsKey, tags: Mapping[str, str]) -> str:
    """The policy of a new key as it is stored: the one that was sent, else the default one.

    Raises:
        MalformedPolicyDocumentException, LimitExceededException: as for any policy.
    """
    if call.get("Policy") is None:
        return default_key_policy(call.account)
    return _checked(
        CallContext(call, action="kms:PutKeyPolicy", planned=planned, tags=tags, conditions=_LATER), planned
    )


def changed_policy(call: Call, usable: UsableKey) -> str:
    """The policy that was sent for a key, as it is stored: with unique ids for its principals.

    Raises:
        MalformedPolicyDocumentException: it is malformed, names a principal that does not exist, or locks the caller
            out of changing it again.
        LimitExceededException: it is too large.
    """
    return _checked(CallContext(call, usable, "kms:PutKeyPolicy", conditions=_LATER), usable.key)


def _checked(context: CallContext, key: KmsKey) -> str:
    call = context.call
    policy: str = call.parameters["Policy"]
    compile_key_policy(policy)
    stored = principals.stored(call.connection, policy)
    authority = Authority(key.account, key.arn, compile_key_policy(stored))
    lockout_counts = not call.get("BypassPolicyLockoutSafetyCheck")
    if lockout_counts and not may_change_policy(authority, call.principal, context):
        raise e.MalformedPolicyDocumentException(_LOCKOUT)
    return stored
