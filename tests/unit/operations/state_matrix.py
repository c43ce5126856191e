"""Which operations happen in which key states (AWS "Key states of AWS KMS keys"), written down apart from the code.

One letter per cell: `.` it happens, `d` is disabled, `p` is pending deletion, `r` is pending replica deletion,
`n` is not pending deletion, `i` is pending import, `u` is unavailable, `c` is creating, `g` is updating, `s` is in a
custom key store, `e` the origin is EXTERNAL, `m` the origin is AWS_KMS. A dash is a state that such a key cannot be
in on AWS: whatever happens is refused.
"""

from typing import NamedTuple

from kms_server.keys.states import KeyState

STATES = (
    KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION,
    KeyState.PENDING_IMPORT, KeyState.UNAVAILABLE, KeyState.CREATING, KeyState.UPDATING,
)  # fmt: skip
_INVALID, _UNSUPPORTED = "KMSInvalidStateException", "UnsupportedOperationException"
REFUSALS = {
    "d": ("DisabledException", "is disabled."),
    "p": (_INVALID, "is pending deletion."),
    "r": (_INVALID, "is pending replica deletion."),
    "n": (_INVALID, "is not pending deletion."),
    "i": (_INVALID, "is pending import."),
    "u": (_INVALID, "is unavailable."),
    "c": (_INVALID, "is creating."),
    "g": (_INVALID, "is updating."),
    "s": (_UNSUPPORTED, "is in a custom key store, which is not valid for this operation."),
    "e": (_UNSUPPORTED, "origin is EXTERNAL which is not valid for this operation."),
    "m": (_UNSUPPORTED, "origin is AWS_KMS which is not valid for this operation."),
}
_USE = ". d p r i u c ."
_KEY_PAIR = ". d p r i - c ."
_READ = ". . . . . . . ."
_CHANGE = ". . p r . . . ."
_SWITCH = ". . p r i . c g"
_ROTATION = ". d p r e s c ."
# GetKeyRotationStatus of an EXTERNAL key: the guide's table refuses it, and is older than their rotation on demand.
# GetPublicKey without material: the table lets it happen; here no public key is kept beside the private one.
MATRIX = {
    "Encrypt": _USE,
    "Decrypt": _USE,
    "ReEncrypt from": _USE,
    "ReEncrypt to": _USE,
    "GenerateDataKey": _USE,
    "GenerateDataKeyWithoutPlaintext": _USE,
    "GenerateDataKeyPair": ". d p r i s c .",
    "GenerateDataKeyPairWithoutPlaintext": ". d p r i s c .",
    "Sign": _KEY_PAIR,
    "Verify": _KEY_PAIR,
    "GenerateMac": _KEY_PAIR,
    "VerifyMac": _KEY_PAIR,
    "DeriveSharedSecret": _KEY_PAIR,
    "Encapsulate": _KEY_PAIR,
    "Decapsulate": _KEY_PAIR,
    "GetPublicKey": ". . p r i - c .",
    "DescribeKey": _READ,
    "GetKeyPolicy": _READ,
    "PutKeyPolicy": _READ,
    "ListAliases": _READ,
    "ListGrants": _READ,
    "ListKeyPolicies": _READ,
    "ListResourceTags": _READ,
    "RetireGrant": _READ,
    "RevokeGrant": _READ,
    "DeleteAlias": _READ,
    "GetKeyLastUsage": _READ,
    "CreateGrant": ". d p r i . c .",
    "CreateAlias": _CHANGE,
    "UpdateAlias from": _READ,
    "UpdateAlias to": _CHANGE,
    "EnableKey": _SWITCH,
    "DisableKey": _SWITCH,
    "ScheduleKeyDeletion": ". . p r . . . g",
    "CancelKeyDeletion": "n n . . n n n n",
    "EnableKeyRotation": _ROTATION,
    "DisableKeyRotation": _ROTATION,
    "ScheduleKeyRotation": _ROTATION,
    "CancelScheduledKeyRotation": _ROTATION,
    "GetKeyRotationStatus": ". . . . . s . .",
    "RotateKeyOnDemand": ". d p r i s c .",
    "ListKeyRotations": ". . . . . s . .",
    "GetParametersForImport": ". . p r . s c g",
    "ImportKeyMaterial": ". . p r . s c .",
    "DeleteImportedKeyMaterial": ". . . . . - c g",
    "GetParametersForImport of AWS's": "m m m m - m - -",
    "ImportKeyMaterial of AWS's": "m m m m - m - -",
    "DeleteImportedKeyMaterial of AWS's": "m m m m - - - -",
    "TagResource": _CHANGE,
    "UntagResource": _CHANGE,
    "UpdateKeyDescription": _CHANGE,
    "ReplicateKey": ". d p r i - c g",
    "UpdatePrimaryRegion": ". d p r i - c .",
}  # fmt: skip
# The states after what happened; all others stay as they are.
AFTERWARDS = {
    "EnableKey": dict.fromkeys(STATES, KeyState.ENABLED),
    "DisableKey": dict.fromkeys(STATES, KeyState.DISABLED),
    "ScheduleKeyDeletion": dict.fromkeys(STATES, KeyState.PENDING_DELETION),
    "CancelKeyDeletion": dict.fromkeys(STATES, KeyState.DISABLED),
    "ImportKeyMaterial": {KeyState.PENDING_IMPORT: KeyState.ENABLED},
    "DeleteImportedKeyMaterial": {
        KeyState.ENABLED: KeyState.PENDING_IMPORT, KeyState.DISABLED: KeyState.PENDING_IMPORT,
    },
}  # fmt: skip
WITHOUT_KEY = frozenset({
    "CreateKey", "ListKeys", "ListRetirableGrants", "GenerateRandom", "CreateCustomKeyStore",
    "DescribeCustomKeyStores", "ConnectCustomKeyStore", "DisconnectCustomKeyStore", "UpdateCustomKeyStore",
    "DeleteCustomKeyStore", "InjectFault", "ListInjectedFaults", "RemoveInjectedFault",
})  # fmt: skip


class Cell(NamedTuple):
    """What an operation does to a key in a state."""

    row: str
    state: KeyState
    letter: str

    @property
    def operation(self) -> str:
        """The operation of the row."""
        return self.row.partition(" ")[0]


CELLS = [
    Cell(row, state, letter)
    for row, letters in MATRIX.items()
    for state, letter in zip(STATES, letters.split(), strict=True)
]
