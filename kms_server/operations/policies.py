"""GetKeyPolicy, PutKeyPolicy, ListKeyPolicies."""

from kms_server import errors as e
from kms_server.iam.evaluate import Authority, may_change_policy
from kms_server.iam.key_policies import default_key_policy, pretty
from kms_server.iam.policy import compile_key_policy
from kms_server.keys import states
from kms_server.operations import access, principals
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.context import CallContext
from kms_server.operations.guards import customer_managed
from kms_server.schemas import policies as schemas
from kms_server.storage import keys

_NAME = "default"
_LOCKOUT = "The new key policy will not allow you to update the key policy in the future."


def get_key_policy(call: Call) -> Answer:
    """The key policy as text (AWS GetKeyPolicy)."""
    key = access.use_key(call, call.parameters["KeyId"]).key
    _require_default(call)
    with call.services.database.read() as connection:
        policy = principals.shown(connection, key.policy)
    return {"Policy": pretty(policy), "PolicyName": _NAME}


def put_key_policy(call: Call) -> Answer:
    """Replace the whole key policy (AWS PutKeyPolicy)."""
    key = customer_managed(call, access.use_key(call, call.parameters["KeyId"]))
    if call.get("PolicyName") == "AWS_RAM":
        raise e.ValidationException("The AWS_RAM policy can only be managed by the RAM service.")
    _require_default(call)
    keys.change(call.writing, key, policy=checked_policy(call, call.parameters["Policy"], key.arn))
    return None


def list_key_policies(call: Call) -> Answer:
    """The names of a key's policies: always `default` alone (AWS ListKeyPolicies)."""
    access.use_key(call, call.parameters["KeyId"])
    return {"PolicyNames": [_NAME], "Truncated": False}


def new_policy(call: Call, arn: str) -> str:
    """The policy of a new key as it is stored: the one that was sent, else the default one.

    Raises:
        MalformedPolicyDocumentException, LimitExceededException
    """
    policy: str | None = call.get("Policy")
    if policy is None:
        return default_key_policy(call.account)
    return checked_policy(call, policy, arn)


def checked_policy(call: Call, policy: str, arn: str) -> str:
    """A key policy that was sent, as it is stored: with unique ids for its principals.

    Raises:
        MalformedPolicyDocumentException: it is malformed, names a principal that does not exist, or locks the caller
            out of changing it again.
        LimitExceededException: it is too large.
    """
    compile_key_policy(policy)
    stored = principals.stored(call.connection, policy)
    authority = Authority(call.account, arn, compile_key_policy(stored))
    lockout_counts = not call.get("BypassPolicyLockoutSafetyCheck")
    if lockout_counts and not may_change_policy(authority, call.principal, CallContext(call)):
        raise e.MalformedPolicyDocumentException(_LOCKOUT)
    return stored


def _require_default(call: Call) -> None:
    if call.get("PolicyName", _NAME) != _NAME:
        raise e.NotFoundException("No such policy exists")


_ERRORS = (
    e.NotFoundException, e.InvalidArnException, e.DependencyTimeoutException, e.KMSInternalException,
    e.KMSInvalidStateException,
)  # fmt: skip

OPERATIONS = (
    Operation(
        "GetKeyPolicy", get_key_policy, schemas.GetKeyPolicyRequest, schemas.GetKeyPolicyResponse, Plane.READ,
        "Returns the key policy.", logged=("KeyId", "PolicyName"), rule=states.READ, errors=_ERRORS,
    ),
    Operation(
        "PutKeyPolicy", put_key_policy, schemas.PutKeyPolicyRequest, None, Plane.WRITE,
        "Replaces the key policy.",
        logged=("KeyId", "PolicyName", "Policy", "BypassPolicyLockoutSafetyCheck"), rule=states.READ,
        errors=(*_ERRORS, e.MalformedPolicyDocumentException, e.LimitExceededException,
                e.UnsupportedOperationException),
    ),
    Operation(
        "ListKeyPolicies", list_key_policies, schemas.ListKeyPoliciesRequest, schemas.ListKeyPoliciesResponse,
        Plane.READ, "Lists the names of the key policies.", logged=("KeyId", "Limit", "Marker"),
        rule=states.READ, errors=_ERRORS,
    ),
)  # fmt: skip
