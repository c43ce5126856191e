"""GenerateDataKey, GenerateDataKeyPair, each with and without plaintext, and GenerateRandom."""

from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.schemas.common import (
    PAIR_SPECS,
    Recipient,
    encryption_context,
    grant_tokens,
    key_id,
    key_material_id,
)
from kms_server.schemas.fields import Blob, Boolean, Choice, Integer, Structure, Text


class GenerateDataKeyWithoutPlaintextRequest(RequestSchema):
    """Input of GenerateDataKeyWithoutPlaintext."""

    KeyId = key_id()
    EncryptionContext = encryption_context()
    KeySpec = Choice("AES_256", "AES_128")
    NumberOfBytes = Integer(1, 1024)
    GrantTokens = grant_tokens()
    DryRun = Boolean()


class GenerateDataKeyWithoutPlaintextResponse(ResponseSchema):
    """Output of GenerateDataKeyWithoutPlaintext."""

    CiphertextBlob = Blob(1, 6144)
    KeyId = key_id(required=False)
    KeyMaterialId = key_material_id()


class GenerateDataKeyRequest(RequestSchema):
    """Input of GenerateDataKey."""

    KeyId = key_id()
    EncryptionContext = encryption_context()
    NumberOfBytes = Integer(1, 1024)
    KeySpec = Choice("AES_256", "AES_128")
    GrantTokens = grant_tokens()
    Recipient = Structure(Recipient)
    DryRun = Boolean()


class GenerateDataKeyResponse(ResponseSchema):
    """Output of GenerateDataKey."""

    CiphertextBlob = Blob(1, 6144)
    Plaintext = Blob(1, 4096)
    KeyId = key_id(required=False)
    CiphertextForRecipient = Blob(1, 6144)
    KeyMaterialId = key_material_id()


class GenerateDataKeyPairWithoutPlaintextRequest(RequestSchema):
    """Input of GenerateDataKeyPairWithoutPlaintext."""

    EncryptionContext = encryption_context()
    KeyId = key_id()
    KeyPairSpec = Choice(*PAIR_SPECS, required=True)
    GrantTokens = grant_tokens()
    DryRun = Boolean()


class GenerateDataKeyPairWithoutPlaintextResponse(ResponseSchema):
    """Output of GenerateDataKeyPairWithoutPlaintext."""

    PrivateKeyCiphertextBlob = Blob(1, 6144)
    PublicKey = Blob(1, 8192)
    KeyId = key_id(required=False)
    KeyPairSpec = Choice(*PAIR_SPECS)
    KeyMaterialId = key_material_id()


class GenerateDataKeyPairRequest(RequestSchema):
    """Input of GenerateDataKeyPair."""

    EncryptionContext = encryption_context()
    KeyId = key_id()
    KeyPairSpec = Choice(*PAIR_SPECS, required=True)
    GrantTokens = grant_tokens()
    Recipient = Structure(Recipient)
    DryRun = Boolean()


class GenerateDataKeyPairResponse(ResponseSchema):
    """Output of GenerateDataKeyPair."""

    PrivateKeyCiphertextBlob = Blob(1, 6144)
    PrivateKeyPlaintext = Blob(1, 4096)
    PublicKey = Blob(1, 8192)
    KeyId = key_id(required=False)
    KeyPairSpec = Choice(*PAIR_SPECS)
    CiphertextForRecipient = Blob(1, 6144)
    KeyMaterialId = key_material_id()


class GenerateRandomRequest(RequestSchema):
    """Input of GenerateRandom."""

    NumberOfBytes = Integer(1, 1024)
    CustomKeyStoreId = Text(1, 64)
    Recipient = Structure(Recipient)


class GenerateRandomResponse(ResponseSchema):
    """Output of GenerateRandom."""

    Plaintext = Blob(1, 4096)
    CiphertextForRecipient = Blob(1, 6144)
