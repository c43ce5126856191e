"""The texts of AccessDeniedException."""

from kms_server.errors import AccessDeniedException
from kms_server.iam.decision import Decision, Reason
from kms_server.iam.principal import Principal

_WHY = {
    Reason.DENIED_BY_RESOURCE_POLICY: "with an explicit deny in a resource-based policy",
    Reason.DENIED_BY_IDENTITY: "with an explicit deny in an identity-based policy",
    Reason.DENIED_BY_BOUNDARY: "with an explicit deny in a permissions boundary",
    Reason.DENIED_BY_SESSION: "with an explicit deny in a session policy",
    Reason.NO_RESOURCE_POLICY: "because no resource-based policy allows the {action} action",
    Reason.NO_IDENTITY: "because no identity-based policy allows the {action} action",
    Reason.NO_BOUNDARY: "because no permissions boundary allows the {action} action",
    Reason.NO_SESSION: "because no session policy allows the {action} action",
}


def why(decision: Decision, action: str) -> str:
    """The end of the text: why a decision is against the caller."""
    return _WHY[decision.reason].format(action=action)


def denied(
    principal: Principal, action: str, resource: str, decision: Decision, *, from_ciphertext: bool = False
) -> AccessDeniedException:
    """The error for a decision against the caller."""
    place = (
        "on the resource associated with this ciphertext" if from_ciphertext else f"on resource: {resource}"
    )
    return AccessDeniedException(
        f"User: {_who(principal)} is not authorized to perform: {action} {place} {why(decision, action)}"
    )


def _who(principal: Principal) -> str:
    return principal.unique_id if principal.is_service else principal.arn


def not_visible(principal: Principal, action: str) -> AccessDeniedException:
    """The error for a key of another account; it does not tell whether the key exists."""
    return AccessDeniedException(
        f"User: {_who(principal)} is not authorized to perform: {action} on this resource because the resource does "
        "not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly "
        "denies access"
    )
