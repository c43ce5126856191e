"""ReplicateKey, UpdatePrimaryRegion."""

from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.schemas.common import KeyMetadata, Tag, key_id, policy, region
from kms_server.schemas.fields import Boolean, ListOf, Structure, Text


class ReplicateKeyRequest(RequestSchema):
    """Input of ReplicateKey."""

    KeyId = key_id()
    ReplicaRegion = region()
    Policy = policy()
    BypassPolicyLockoutSafetyCheck = Boolean()
    Description = Text(0, 8192)
    Tags = ListOf(Structure(Tag))


class ReplicateKeyResponse(ResponseSchema):
    """Output of ReplicateKey."""

    ReplicaKeyMetadata = Structure(KeyMetadata)
    ReplicaPolicy = policy()
    ReplicaTags = ListOf(Structure(Tag))


class UpdatePrimaryRegionRequest(RequestSchema):
    """Input of UpdatePrimaryRegion."""

    KeyId = key_id()
    PrimaryRegion = region()
