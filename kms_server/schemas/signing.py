"""Sign, Verify, GenerateMac, VerifyMac."""

from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.schemas.common import MAC_ALGORITHMS, SIGNING_ALGORITHMS, grant_tokens, key_id
from kms_server.schemas.fields import Blob, Boolean, Choice


class SignRequest(RequestSchema):
    """Input of Sign."""

    KeyId = key_id()
    Message = Blob(1, 4096, required=True)
    MessageType = Choice("RAW", "DIGEST", "EXTERNAL_MU")
    GrantTokens = grant_tokens()
    SigningAlgorithm = Choice(*SIGNING_ALGORITHMS, required=True)
    DryRun = Boolean()


class SignResponse(ResponseSchema):
    """Output of Sign."""

    KeyId = key_id(required=False)
    Signature = Blob(1, 6144)
    SigningAlgorithm = Choice(*SIGNING_ALGORITHMS)


class VerifyRequest(RequestSchema):
    """Input of Verify."""

    KeyId = key_id()
    Message = Blob(1, 4096, required=True)
    MessageType = Choice("RAW", "DIGEST", "EXTERNAL_MU")
    Signature = Blob(1, 6144, required=True)
    SigningAlgorithm = Choice(*SIGNING_ALGORITHMS, required=True)
    GrantTokens = grant_tokens()
    DryRun = Boolean()


class VerifyResponse(ResponseSchema):
    """Output of Verify."""

    KeyId = key_id(required=False)
    SignatureValid = Boolean()
    SigningAlgorithm = Choice(*SIGNING_ALGORITHMS)


class GenerateMacRequest(RequestSchema):
    """Input of GenerateMac."""

    Message = Blob(1, 4096, required=True)
    KeyId = key_id()
    MacAlgorithm = Choice(*MAC_ALGORITHMS, required=True)
    GrantTokens = grant_tokens()
    DryRun = Boolean()


class GenerateMacResponse(ResponseSchema):
    """Output of GenerateMac."""

    Mac = Blob(1, 6144)
    MacAlgorithm = Choice(*MAC_ALGORITHMS)
    KeyId = key_id(required=False)


class VerifyMacRequest(RequestSchema):
    """Input of VerifyMac."""

    Message = Blob(1, 4096, required=True)
    KeyId = key_id()
    MacAlgorithm = Choice(*MAC_ALGORITHMS, required=True)
    Mac = Blob(1, 6144, required=True)
    GrantTokens = grant_tokens()
    DryRun = Boolean()


class VerifyMacResponse(ResponseSchema):
    """Output of VerifyMac."""

    KeyId = key_id(required=False)
    MacValid = Boolean()
    MacAlgorithm = Choice(*MAC_ALGORITHMS)
