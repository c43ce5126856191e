"""CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant."""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.common import encryption_context, grant_tokens, key_id, limit, marker
from kms_server.schemas.fields import Boolean, Choice, ListOf, Structure, Text, Timestamp

GRANT_OPERATIONS = (
    "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "Sign",
    "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac", "DeriveSharedSecret", "Encapsulate",
    "Decapsulate",
)  # fmt: skip


def _principal() -> Text:
    return Text(1, 256, r"^[\w+=,.@:/-]+$")


def _service() -> Text:
    return Text(1, 128, r"^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$")


class GrantConstraints(Shape):
    """What the use of a grant is bound to."""

    EncryptionContextSubset = encryption_context()
    EncryptionContextEquals = encryption_context()
    SourceArn = Text(20, 512, r"^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$")


class GrantListEntry(Shape):
    """One grant of a list."""

    KeyId = key_id(required=False)
    GrantId = Text(1, 128)
    Name = Text(1, 256, r"^[a-zA-Z0-9:/_-]+$")
    CreationDate = Timestamp()
    GranteePrincipal = _principal()
    RetiringPrincipal = _principal()
    IssuingAccount = _principal()
    Operations = ListOf(Choice(*GRANT_OPERATIONS))
    Constraints = Structure(GrantConstraints)
    GranteeServicePrincipal = _service()
    RetiringServicePrincipal = _service()


class CreateGrantRequest(RequestSchema):
    """Input of CreateGrant."""

    KeyId = key_id()
    GranteePrincipal = _principal()
    RetiringPrincipal = _principal()
    Operations = ListOf(Choice(*GRANT_OPERATIONS), required=True)
    Constraints = Structure(GrantConstraints)
    GrantTokens = grant_tokens()
    Name = Text(1, 256, r"^[a-zA-Z0-9:/_-]+$")
    DryRun = Boolean()
    GranteeServicePrincipal = _service()
    RetiringServicePrincipal = _service()


class CreateGrantResponse(ResponseSchema):
    """Output of CreateGrant."""

    GrantToken = Text(1, 8192, sensitive=True)
    GrantId = Text(1, 128)


class ListGrantsRequest(RequestSchema):
    """Input of ListGrants."""

    Limit = limit()
    Marker = marker()
    KeyId = key_id()
    GrantId = Text(1, 128)
    GranteePrincipal = _principal()
    GranteeServicePrincipal = _service()


class ListGrantsResponse(ResponseSchema):
    """Output of ListGrants."""

    Grants = ListOf(Structure(GrantListEntry))
    NextMarker = marker()
    Truncated = Boolean()


class ListRetirableGrantsRequest(RequestSchema):
    """Input of ListRetirableGrants."""

    Limit = limit()
    Marker = marker()
    RetiringPrincipal = _principal()
    RetiringServicePrincipal = _service()


class ListRetirableGrantsResponse(ResponseSchema):
    """Output of ListRetirableGrants."""

    Grants = ListOf(Structure(GrantListEntry))
    NextMarker = marker()
    Truncated = Boolean()


class RetireGrantRequest(RequestSchema):
    """Input of RetireGrant."""

    GrantToken = Text(1, 8192, sensitive=True)
    KeyId = key_id(required=False)
    GrantId = Text(1, 128)
    DryRun = Boolean()


class RevokeGrantRequest(RequestSchema):
    """Input of RevokeGrant."""

    KeyId = key_id()
    GrantId = Text(1, 128, required=True)
    DryRun = Boolean()
