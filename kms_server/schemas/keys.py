"""CreateKey, DescribeKey, ListKeys, and the operations that change a key's state."""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.common import (
    CUSTOMER_MASTER_KEY_SPECS,
    KEY_SPECS,
    KEY_USAGES,
    ORIGINS,
    KeyMetadata,
    Tag,
    grant_tokens,
    key_id,
    limit,
    marker,
    policy,
)
from kms_server.schemas.fields import Boolean, Choice, Integer, ListOf, Structure, Text, Timestamp


class _KeyIdRequest(RequestSchema):
    KeyId = key_id()


class CreateKeyRequest(RequestSchema):
    """Input of CreateKey."""

    Policy = policy()
    Description = Text(0, 8192)
    KeyUsage = Choice(*KEY_USAGES)
    CustomerMasterKeySpec = Choice(*CUSTOMER_MASTER_KEY_SPECS)
    KeySpec = Choice(*KEY_SPECS)
    Origin = Choice(*ORIGINS)
    CustomKeyStoreId = Text(1, 64)
    BypassPolicyLockoutSafetyCheck = Boolean()
    Tags = ListOf(Structure(Tag))
    MultiRegion = Boolean()
    XksKeyId = Text(1, 128, r"^[a-zA-Z0-9-_.]+$")


class CreateKeyResponse(ResponseSchema):
    """Output of CreateKey."""

    KeyMetadata = Structure(KeyMetadata)


class DescribeKeyRequest(_KeyIdRequest):
    """Input of DescribeKey."""

    GrantTokens = grant_tokens()


class DescribeKeyResponse(ResponseSchema):
    """Output of DescribeKey."""

    KeyMetadata = Structure(KeyMetadata)


class ListKeysRequest(RequestSchema):
    """Input of ListKeys."""

    Limit = limit()
    Marker = marker()
    ResourceOwners = ListOf(Choice("SELF", "OTHER_ACCOUNTS_VIA_RAM"), 1, 2)


class KeyListEntry(Shape):
    """One key of a list."""

    KeyId = key_id(required=False)
    KeyArn = Text(20, 2048)


class ListKeysResponse(ResponseSchema):
    """Output of ListKeys."""

    Keys = ListOf(Structure(KeyListEntry))
    NextMarker = marker()
    Truncated = Boolean()


class UpdateKeyDescriptionRequest(_KeyIdRequest):
    """Input of UpdateKeyDescription."""

    Description = Text(0, 8192, required=True)


class EnableKeyRequest(_KeyIdRequest):
    """Input of EnableKey."""


class DisableKeyRequest(_KeyIdRequest):
    """Input of DisableKey."""


class ScheduleKeyDeletionRequest(_KeyIdRequest):
    """Input of ScheduleKeyDeletion."""

    PendingWindowInDays = Integer(1, 365)


class ScheduleKeyDeletionResponse(ResponseSchema):
    """Output of ScheduleKeyDeletion."""

    KeyId = key_id(required=False)
    DeletionDate = Timestamp()
    KeyState = Choice(
        "Creating", "Enabled", "Disabled", "PendingDeletion", "PendingImport", "PendingReplicaDeletion",
        "Unavailable", "Updating",
    )  # fmt: skip
    PendingWindowInDays = Integer(1, 365)


class CancelKeyDeletionRequest(_KeyIdRequest):
    """Input of CancelKeyDeletion."""


class CancelKeyDeletionResponse(ResponseSchema):
    """Output of CancelKeyDeletion."""

    KeyId = key_id(required=False)
