"""Which operations have which condition keys (AWS KMS "Condition keys for AWS KMS"), written down apart from the code."""

_CRYPTOGRAPHIC = (
    "Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair "
    "GenerateDataKeyPairWithoutPlaintext Sign Verify GenerateMac VerifyMac DeriveSharedSecret Encapsulate Decapsulate"
)
# RetireGrant is judged by the grant, and knows less of the key than these.
_KEY = (
    f"{_CRYPTOGRAPHIC} DescribeKey GetPublicKey UpdateKeyDescription EnableKey DisableKey ScheduleKeyDeletion "
    "CancelKeyDeletion GetKeyLastUsage GetKeyPolicy ListKeyPolicies PutKeyPolicy EnableKeyRotation DisableKeyRotation "
    "GetKeyRotationStatus RotateKeyOnDemand ListKeyRotations GetParametersForImport ImportKeyMaterial "
    "DeleteImportedKeyMaterial ReplicateKey UpdatePrimaryRegion TagResource UntagResource ListResourceTags "
    "CreateAlias UpdateAlias DeleteAlias CreateGrant ListGrants RevokeGrant"
)
_KEY_STORES = (
    "CreateCustomKeyStore DescribeCustomKeyStores ConnectCustomKeyStore DisconnectCustomKeyStore UpdateCustomKeyStore "
    "DeleteCustomKeyStore"
)
_DATA_KEYS = (
    "GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext"
)
_CONTEXT = f"CreateGrant Encrypt Decrypt ReEncrypt {_DATA_KEYS} RetireGrant"
_PAIRS = "GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext"
# Whether ReplicateKey has the first one is not documented; here it does, for it may bypass the check as well.
_OPERATIONS = {
    "kms:BypassPolicyLockoutSafetyCheck": "CreateKey PutKeyPolicy ReplicateKey",
    "kms:CallerAccount": f"{_KEY} RetireGrant {_KEY_STORES}",
    "kms:CustomerMasterKeySpec": f"CreateKey {_KEY}",
    "kms:CustomerMasterKeyUsage": f"CreateKey {_KEY}",
    "kms:DataKeyPairSpec": _PAIRS,
    "kms:EncryptionAlgorithm": f"Encrypt Decrypt ReEncrypt {_DATA_KEYS}",
    "kms:EncryptionContext:": _CONTEXT,
    "kms:EncryptionContextKeys": _CONTEXT,
    "kms:ExpirationModel": "ImportKeyMaterial",
    "kms:GrantConstraintType": "CreateGrant RetireGrant",
    "kms:GrantConstraintSourceArn": "CreateGrant",
    "kms:GrantIsForAWSResource": "CreateGrant ListGrants RevokeGrant",
    "kms:GrantOperations": "CreateGrant",
    "kms:GranteePrincipal": "CreateGrant",
    "kms:GranteeServicePrincipal": "CreateGrant",
    "kms:RetiringPrincipal": "CreateGrant",
    "kms:RetiringServicePrincipal": "CreateGrant",
    "kms:KeyAgreementAlgorithm": "DeriveSharedSecret",
    "kms:KeyOrigin": f"CreateKey {_KEY}",
    "kms:KeySpec": f"CreateKey {_KEY}",
    "kms:KeyUsage": f"CreateKey {_KEY}",
    "kms:MultiRegion": f"CreateKey {_KEY}",
    "kms:MultiRegionKeyType": f"CreateKey {_KEY}",
    "kms:MacAlgorithm": "GenerateMac VerifyMac",
    "kms:MessageType": "Sign Verify",
    "kms:PolicyName": "GetKeyPolicy PutKeyPolicy",
    "kms:PrimaryRegion": "UpdatePrimaryRegion",
    "kms:ReplicaRegion": "ReplicateKey",
    "kms:ReEncryptOnSameKey": "ReEncrypt",
    "kms:RequestAlias": f"{_CRYPTOGRAPHIC} DescribeKey GetPublicKey",
    "kms:ResourceAliases": f"{_KEY} RetireGrant",
    "kms:RotationPeriodInDays": "EnableKeyRotation",
    "kms:ScheduleKeyDeletionPendingWindowInDays": "ScheduleKeyDeletion",
    "kms:SigningAlgorithm": "Sign Verify",
    "kms:TrailingDaysWithoutKeyUsage": "DisableKey ScheduleKeyDeletion",
    "kms:ValidTo": "ImportKeyMaterial",
    "kms:ViaService": f"{_KEY} RetireGrant",
    "kms:WrappingAlgorithm": "GetParametersForImport",
    "kms:WrappingKeySpec": "GetParametersForImport",
    "aws:ResourceTag/": f"{_KEY} RetireGrant",
    "aws:RequestTag/": "CreateKey ReplicateKey TagResource",
    "aws:TagKeys": "CreateKey ReplicateKey TagResource UntagResource",
}
PAIRS = frozenset(
    (operation, key) for key, operations in _OPERATIONS.items() for operation in operations.split()
)
# Our two operations are on keys, too, and one has a period.
EXTENSIONS = frozenset(
    (operation, key)
    for operation in ("ScheduleKeyRotation", "CancelScheduledKeyRotation")
    for key in {key for of_key, key in PAIRS if of_key == "EnableKeyRotation"}
    if (operation, key) != ("CancelScheduledKeyRotation", "kms:RotationPeriodInDays")
)


def keys_of(operation: str) -> frozenset[str]:
    """The condition keys of an operation."""
    return frozenset(key for of_key, key in PAIRS | EXTENSIONS if of_key == operation)


KEYS = frozenset(_OPERATIONS)
