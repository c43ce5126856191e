"""GetKeyPolicy, PutKeyPolicy, ListKeyPolicies."""

from kms_server import errors as e
from kms_server.iam.key_policies import pretty
from kms_server.keys import states
from kms_server.operations import access, principals
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import KEY, sent
from kms_server.operations.guards import customer_managed
from kms_server.operations.lockout import POLICY_CHANGE, POLICY_NAME, changed_policy
from kms_server.schemas import policies as schemas
from kms_server.storage import keys


def get_key_policy(call: Call) -> Answer:
    """The key policy as text (AWS GetKeyPolicy)."""
    key = access.use_key(call, call.parameters["KeyId"]).key
    _require_default(call)
    with call.services.database.read() as connection:
        policy = principals.shown(connection, key.policy)
    return {"Policy": pretty(policy), "PolicyName": POLICY_NAME}


def put_key_policy(call: Call) -> Answer:
    """Replace the whole key policy (AWS PutKeyPolicy)."""
    usable = access.use_key(call, call.parameters["KeyId"])
    key = customer_managed(call, usable)
    if call.get("PolicyName") == "AWS_RAM":
        raise e.ValidationException("The AWS_RAM policy can only be managed by the RAM service.")
    _require_default(call)
    keys.change(call.writing, key, policy=changed_policy(call, usable))
    return None


def list_key_policies(call: Call) -> Answer:
    """The names of a key's policies: always `default` alone (AWS ListKeyPolicies)."""
    access.use_key(call, call.parameters["KeyId"])
    return {"PolicyNames": [POLICY_NAME], "Truncated": False}


def _require_default(call: Call) -> None:
    if call.get("PolicyName", POLICY_NAME) != POLICY_NAME:
        raise e.NotFoundException("No such policy exists")


_ERRORS = (
    e.NotFoundException, e.InvalidArnException, e.DependencyTimeoutException, e.KMSInternalException,
    e.KMSInvalidStateException,
)  # fmt: skip

OPERATIONS = (
    Operation(
        "GetKeyPolicy", get_key_policy, schemas.GetKeyPolicyRequest, schemas.GetKeyPolicyResponse, Plane.READ,
        "Returns the key policy.", logged=("KeyId", "PolicyName"), rule=states.READ, errors=_ERRORS,
        conditions={**KEY, "kms:PolicyName": sent("PolicyName", POLICY_NAME)},
    ),
    Operation(
        "PutKeyPolicy", put_key_policy, schemas.PutKeyPolicyRequest, None, Plane.WRITE,
        "Replaces the key policy.",
        logged=("KeyId", "PolicyName", "Policy", "BypassPolicyLockoutSafetyCheck"), rule=states.READ,
        conditions=POLICY_CHANGE, errors=(*_ERRORS, e.MalformedPolicyDocumentException, e.LimitExceededException,
                e.UnsupportedOperationException),
    ),
    Operation(
        "ListKeyPolicies", list_key_policies, schemas.ListKeyPoliciesRequest, schemas.ListKeyPoliciesResponse,
        Plane.READ, "Lists the names of the key policies.", logged=("KeyId", "Limit", "Marker"),
        rule=states.READ, conditions=KEY, errors=_ERRORS,
    ),
)  # fmt: skip
