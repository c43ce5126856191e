"""Which states of a KMS key let an operation happen.

Rows follow "Key states of AWS KMS keys" in the developer guide. An operation names the rule it needs.
"""

from dataclasses import dataclass
from enum import StrEnum

from kms_server.errors import DisabledException, KMSInvalidStateException, ServiceError


class KeyState(StrEnum):
    """The states a key can be in."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"


Refusal = tuple[type[ServiceError], str]

_DISABLED: Refusal = (DisabledException, "is disabled")
_PENDING_DELETION: Refusal = (KMSInvalidStateException, "is pending deletion")
_NOT_PENDING_DELETION: Refusal = (KMSInvalidStateException, "is not pending deletion")


@dataclass(frozen=True, slots=True)
class StateRule:
    """The states that a kind of operation refuses, each with AWS's error."""

    name: str
    refusals: dict[KeyState, Refusal]

    def require(self, state: KeyState, arn: str) -> None:
        """Return when the rule lets the operation happen.

        Raises:
            DisabledException, KMSInvalidStateException: with AWS's text.
        """
        refusal = self.refusals.get(state)
        if refusal is not None:
            error, phrase = refusal
            raise error(f"{arn} {phrase}.")


USE = StateRule(
    "cryptographic use",
    {KeyState.DISABLED: _DISABLED, KeyState.PENDING_DELETION: _PENDING_DELETION},
)
ROTATE = StateRule(
    "change of rotation",
    {KeyState.DISABLED: _DISABLED, KeyState.PENDING_DELETION: _PENDING_DELETION},
)
READ = StateRule("reading", {})
CHANGE = StateRule("change that a disabled key allows", {KeyState.PENDING_DELETION: _PENDING_DELETION})
CANCEL_DELETION = StateRule(
    "cancelling a deletion",
    {KeyState.ENABLED: _NOT_PENDING_DELETION, KeyState.DISABLED: _NOT_PENDING_DELETION},
)
