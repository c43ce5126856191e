"""Which states of a KMS key let an operation happen.

Rows follow "Key states of AWS KMS keys" in the developer guide. An operation names the rule it needs.
"""

from dataclasses import dataclass
from enum import StrEnum

from kms_server.errors import (
    DisabledException,
    KMSInvalidStateException,
    ServiceError,
    UnsupportedOperationException,
)


class KeyState(StrEnum):
    """The states a key can be in, in the order of the columns below."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"
    PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
    PENDING_IMPORT = "PendingImport"
    UNAVAILABLE = "Unavailable"
    CREATING = "Creating"
    UPDATING = "Updating"


Refusal = tuple[type[ServiceError], str]

_REFUSALS: dict[str, Refusal] = {
    "d": (DisabledException, "is disabled"),
    "p": (KMSInvalidStateException, "is pending deletion"),
    "r": (KMSInvalidStateException, "is pending replica deletion"),
    "n": (KMSInvalidStateException, "is not pending deletion"),
    "i": (KMSInvalidStateException, "is pending import"),
    "u": (KMSInvalidStateException, "is unavailable"),
    "c": (KMSInvalidStateException, "is creating"),
    "g": (KMSInvalidStateException, "is updating"),
    "s": (
        UnsupportedOperationException,
        "is in a custom key store, which is not valid for this operation",
    ),
}


@dataclass(frozen=True, slots=True)
class StateRule:
    """The states that a kind of operation refuses, each with AWS's error."""

    name: str
    refusals: dict[KeyState, Refusal]

    def require(self, state: KeyState, arn: str) -> None:
        """Return when the rule lets the operation happen.

        Raises:
            DisabledException, KMSInvalidStateException, UnsupportedOperationException: with AWS's text.
        """
        refusal = self.refusals.get(state)
        if refusal is not None:
            error, phrase = refusal
            raise error(f"{arn} {phrase}.")


def _rule(name: str, cells: str) -> StateRule:
    """A row: one letter per state, a dot where the operation happens."""
    columns = zip(KeyState, cells.split(), strict=True)
    return StateRule(name, {state: _REFUSALS[cell] for state, cell in columns if cell != "."})


# The columns: Enabled, Disabled, PendingDeletion, PendingReplicaDeletion, PendingImport, Unavailable, Creating, Updating.
USE = _rule("cryptographic use", ". d p r i u c .")
MAKE_PAIR = _rule("making a data key pair", ". d p r i s c .")
READ = _rule("reading", ". . . . . . . .")
READ_PUBLIC_KEY = _rule("reading the public key", ". . p r . u c .")
CHANGE = _rule("change that a disabled key allows", ". . p r . . . .")
SWITCH = _rule("enabling or disabling", ". . p r i . c g")
SCHEDULE_DELETION = _rule("scheduling a deletion", ". . p r . . . g")
CANCEL_DELETION = _rule("cancelling a deletion", "n n . . n n n n")
ROTATE = _rule("change of rotation", ". d p r i s c .")
READ_ROTATION = _rule("reading the rotation", ". . . . . s . .")
IMPORT = _rule("importing material", ". . p r . s c .")
READ_IMPORT = _rule("preparing an import", ". . p r . s c g")
DELETE_MATERIAL = _rule("deleting imported material", ". . . . . s c g")
GRANT = _rule("granting", ". d p r i . c .")
REPLICATE = _rule("replicating", ". d p r i u c g")
MOVE_PRIMARY = _rule("moving the primary", ". d p r i u c .")
