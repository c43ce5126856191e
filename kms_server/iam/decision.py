"""What the evaluator says: whether a call may happen, and why."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a call may or may not happen."""

    RESOURCE_POLICY = "a statement of the resource's policy allows it"
    GRANT = "a grant allows it"
    DELEGATED = "the resource's policy leaves it to the account and the caller's identity allows it"
    IDENTITY = "the caller's identity allows it"
    DENIED_BY_RESOURCE_POLICY = "an explicit deny in the resource's policy"
    DENIED_BY_IDENTITY = "an explicit deny in an identity policy"
    DENIED_BY_BOUNDARY = "an explicit deny in the permissions boundary"
    DENIED_BY_SESSION = "an explicit deny in a session policy"
    NO_RESOURCE_POLICY = "no statement of the resource's policy allows it, and no grant"
    NO_IDENTITY = "no identity policy allows it"
    NO_BOUNDARY = "the permissions boundary does not allow it"
    NO_SESSION = "no session policy allows it"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call may happen, why, and what decided: a statement of a policy, or a grant, by its id."""

    allowed: bool
    reason: Reason
    policy: str | None = None
    statement: str | None = None
    grant: str | None = None
