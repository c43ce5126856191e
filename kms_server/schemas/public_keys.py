"""GetPublicKey, DeriveSharedSecret, Encapsulate, Decapsulate."""

from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.schemas.common import (
    CUSTOMER_MASTER_KEY_SPECS,
    KEY_SPECS,
    KEY_USAGES,
    ORIGINS,
    SIGNING_ALGORITHMS,
    Recipient,
    encryption_algorithm,
    grant_tokens,
    key_id,
)
from kms_server.schemas.fields import Blob, Boolean, Choice, ListOf, Structure


class GetPublicKeyRequest(RequestSchema):
    """Input of GetPublicKey."""

    KeyId = key_id()
    GrantTokens = grant_tokens()


class GetPublicKeyResponse(ResponseSchema):
    """Output of GetPublicKey."""

    KeyId = key_id(required=False)
    PublicKey = Blob(1, 8192)
    CustomerMasterKeySpec = Choice(*CUSTOMER_MASTER_KEY_SPECS)
    KeySpec = Choice(*KEY_SPECS)
    KeyUsage = Choice(*KEY_USAGES)
    EncryptionAlgorithms = ListOf(encryption_algorithm())
    SigningAlgorithms = ListOf(Choice(*SIGNING_ALGORITHMS))
    KeyAgreementAlgorithms = ListOf(Choice("ECDH"))
    EncapsulationAlgorithms = ListOf(Choice("ML_KEM"))


class DeriveSharedSecretRequest(RequestSchema):
    """Input of DeriveSharedSecret."""

    KeyId = key_id()
    KeyAgreementAlgorithm = Choice("ECDH", required=True)
    PublicKey = Blob(1, 8192, required=True)
    GrantTokens = grant_tokens()
    DryRun = Boolean()
    Recipient = Structure(Recipient)


class DeriveSharedSecretResponse(ResponseSchema):
    """Output of DeriveSharedSecret."""

    KeyId = key_id(required=False)
    SharedSecret = Blob(1, 4096)
    CiphertextForRecipient = Blob(1, 6144)
    KeyAgreementAlgorithm = Choice("ECDH")
    KeyOrigin = Choice(*ORIGINS)


class EncapsulateRequest(RequestSchema):
    """Input of Encapsulate."""

    KeyId = key_id()
    EncapsulationAlgorithm = Choice("ML_KEM", required=True)
    GrantTokens = grant_tokens()
    DryRun = Boolean()


class EncapsulateResponse(ResponseSchema):
    """Output of Encapsulate."""

    KeyId = key_id(required=False)
    SharedSecret = Blob(1, 4096)
    SharedSecretCiphertextBlob = Blob(1, 6144)
    EncapsulationAlgorithm = Choice("ML_KEM")


class DecapsulateRequest(RequestSchema):
    """Input of Decapsulate."""

    KeyId = key_id()
    SharedSecretCiphertextBlob = Blob(1, 6144, required=True)
    EncapsulationAlgorithm = Choice("ML_KEM", required=True)
    GrantTokens = grant_tokens()
    DryRun = Boolean()


class DecapsulateResponse(ResponseSchema):
    """Output of Decapsulate."""

    KeyId = key_id(required=False)
    SharedSecret = Blob(1, 4096)
    EncapsulationAlgorithm = Choice("ML_KEM")
