"""Encrypt, Decrypt, ReEncrypt."""

from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.schemas.common import (
    Recipient,
    encryption_algorithm,
    encryption_context,
    grant_tokens,
    key_id,
    key_material_id,
)
from kms_server.schemas.fields import Blob, Boolean, Choice, ListOf, Structure


class _Modifiers(ListOf):
    def __init__(self) -> None:
        super().__init__(Choice("IGNORE_CIPHERTEXT"), 0, 1)


class EncryptRequest(RequestSchema):
    """Input of Encrypt."""

    KeyId = key_id()
    Plaintext = Blob(1, 4096, required=True)
    EncryptionContext = encryption_context()
    GrantTokens = grant_tokens()
    EncryptionAlgorithm = encryption_algorithm()
    DryRun = Boolean()


class EncryptResponse(ResponseSchema):
    """Output of Encrypt."""

    CiphertextBlob = Blob(1, 6144)
    KeyId = key_id(required=False)
    EncryptionAlgorithm = encryption_algorithm()


class DecryptRequest(RequestSchema):
    """Input of Decrypt."""

    CiphertextBlob = Blob(1, 6144)
    EncryptionContext = encryption_context()
    GrantTokens = grant_tokens()
    KeyId = key_id(required=False)
    EncryptionAlgorithm = encryption_algorithm()
    Recipient = Structure(Recipient)
    DryRun = Boolean()
    DryRunModifiers = _Modifiers()


class DecryptResponse(ResponseSchema):
    """Output of Decrypt."""

    KeyId = key_id(required=False)
    Plaintext = Blob(1, 4096)
    EncryptionAlgorithm = encryption_algorithm()
    CiphertextForRecipient = Blob(1, 6144)
    KeyMaterialId = key_material_id()


class ReEncryptRequest(RequestSchema):
    """Input of ReEncrypt."""

    CiphertextBlob = Blob(1, 6144)
    SourceEncryptionContext = encryption_context()
    SourceKeyId = key_id(required=False)
    DestinationKeyId = key_id()
    DestinationEncryptionContext = encryption_context()
    SourceEncryptionAlgorithm = encryption_algorithm()
    DestinationEncryptionAlgorithm = encryption_algorithm()
    GrantTokens = grant_tokens()
    DryRun = Boolean()
    DryRunModifiers = _Modifiers()


class ReEncryptResponse(ResponseSchema):
    """Output of ReEncrypt."""

    CiphertextBlob = Blob(1, 6144)
    SourceKeyId = key_id(required=False)
    KeyId = key_id(required=False)
    SourceEncryptionAlgorithm = encryption_algorithm()
    DestinationEncryptionAlgorithm = encryption_algorithm()
    SourceKeyMaterialId = key_material_id()
    DestinationKeyMaterialId = key_material_id()
