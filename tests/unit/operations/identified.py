"""Which identifiers each operation takes (AWS "Key identifiers"), and requests that differ in the identifier alone."""

from collections.abc import Mapping
from typing import Any, NamedTuple

_MAC: Mapping[str, Any] = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
_SIGN: Mapping[str, Any] = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
_GRANT: Mapping[str, Any] = {"GrantId": "0" * 64}
_KEM: Mapping[str, Any] = {"EncapsulationAlgorithm": "ML_KEM"}
_TRUST = '{"Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"kms:*","Resource":"*"}}'
CIPHERTEXT, OTHER_KEY, ALIAS = object(), object(), object()


class Identified(NamedTuple):
    """A member that names a key, and the members beside it; `takes_aliases` and `cross_account` as AWS documents."""

    operation: str
    member: str
    takes_aliases: bool
    cross_account: bool
    others: Mapping[str, Any]

    @property
    def action(self) -> str:
        """The permission that the use of the key needs."""
        suffix = {"SourceKeyId": "From", "DestinationKeyId": "To"}.get(self.member, "")
        return f"kms:{self.operation}{suffix}"


def _of_any_form(operation: str, *, member: str = "KeyId", **others: Any) -> Identified:
    return Identified(operation, member, takes_aliases=True, cross_account=True, others=others)


def _by_key(operation: str, *, member: str = "KeyId", foreign: bool = False, **others: Any) -> Identified:
    return Identified(operation, member, takes_aliases=False, cross_account=foreign, others=others)


IDENTIFIED = (
    _of_any_form("Encrypt", Plaintext=b"p"),
    _of_any_form("Decrypt", CiphertextBlob=CIPHERTEXT),
    _of_any_form("ReEncrypt", member="SourceKeyId", CiphertextBlob=CIPHERTEXT, DestinationKeyId=OTHER_KEY),
    _of_any_form("ReEncrypt", member="DestinationKeyId", CiphertextBlob=CIPHERTEXT),
    _of_any_form("GenerateDataKey", KeySpec="AES_128"),
    _of_any_form("GenerateDataKeyWithoutPlaintext", NumberOfBytes=1024),
    _of_any_form("GenerateDataKeyPair", KeyPairSpec="ECC_NIST_P256"),
    _of_any_form("GenerateDataKeyPairWithoutPlaintext", KeyPairSpec="ECC_NIST_P256"),
    _of_any_form("GenerateMac", **_MAC),
    _of_any_form("VerifyMac", Mac=b"x", **_MAC),
    _of_any_form("Sign", **_SIGN),
    _of_any_form("Verify", Signature=b"x", **_SIGN),
    _of_any_form("DeriveSharedSecret", KeyAgreementAlgorithm="ECDH", PublicKey=b"x"),
    _of_any_form("Encapsulate", **_KEM),
    _of_any_form("Decapsulate", SharedSecretCiphertextBlob=b"x", **_KEM),
    _of_any_form("DescribeKey"),
    _of_any_form("GetPublicKey"),
    _by_key("CancelKeyDeletion"),
    _by_key("CreateGrant", foreign=True, Operations=["DescribeKey"], GranteePrincipal="arn:aws:iam::000000000000:root"),
    _by_key("DeleteImportedKeyMaterial"),
    _by_key("DisableKey"),
    _by_key("EnableKey"),
    _by_key("EnableKeyRotation"),
    _by_key("DisableKeyRotation"),
    _by_key("ScheduleKeyRotation", RotationPeriodInDays=90),
    _by_key("CancelScheduledKeyRotation"),
    _by_key("GetKeyLastUsage"),
    _by_key("GetKeyPolicy"),
    _by_key("GetKeyRotationStatus", foreign=True),
    _by_key("GetParametersForImport", WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"),
    _by_key("ImportKeyMaterial", ImportToken=b"t", EncryptedKeyMaterial=b"m",
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"),
    _by_key("ListAliases"),
    _by_key("ListGrants", foreign=True),
    _by_key("ListKeyPolicies"),
    _by_key("ListKeyRotations"),
    _by_key("ListResourceTags"),
    _by_key("PutKeyPolicy", Policy=_TRUST),
    _by_key("ReplicateKey", ReplicaRegion="eu-west-1"),
    # Of another account's key only who may retire a grant learns whether it exists.
    _by_key("RetireGrant", **_GRANT),
    _by_key("RevokeGrant", foreign=True, **_GRANT),
    _by_key("RotateKeyOnDemand"),
    _by_key("ScheduleKeyDeletion"),
    _by_key("TagResource", Tags=[{"TagKey": "a", "TagValue": "b"}]),
    _by_key("UntagResource", TagKeys=["a"]),
    _by_key("UpdateKeyDescription", Description=""),
    _by_key("UpdatePrimaryRegion", PrimaryRegion="eu-west-1"),
    _by_key("CreateAlias", member="TargetKeyId", AliasName="alias/another"),
    _by_key("UpdateAlias", member="TargetKeyId", AliasName=ALIAS),
)  # fmt: skip
