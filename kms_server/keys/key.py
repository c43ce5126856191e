"""A KMS key and the versions of its material."""

from dataclasses import dataclass, field

from kms_server.arn import key_arn
from kms_server.keys import specs
from kms_server.keys.states import KeyState


@dataclass(frozen=True, slots=True)
class BackingKey:
    """One version of a key's material, wrapped under the root key; `number` counts from 1."""

    material_id: str
    number: int
    is_current: bool
    wrapped: bytes = field(repr=False)
    created_at: float
    rotation_type: str | None


@dataclass(frozen=True, slots=True)
class KmsKey:
    """The properties of a KMS key; times are epoch seconds."""

    key_id: str
    account: str
    region: str
    spec: str
    usage: str
    origin: str
    manager: str
    state: KeyState
    description: str
    policy: str
    created_at: float
    deletion_date: float | None
    rotation_period_days: int | None
    next_rotation_at: float | None
    scheduled_rotation_at: float | None
    on_demand_rotations: int
    arn: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arn", key_arn(self.region, self.account, self.key_id))

    def metadata(self, current_material_id: str) -> dict[str, object]:
        """AWS's KeyMetadata."""
        spec = specs.find(self.spec)
        metadata: dict[str, object] = {
            "AWSAccountId": self.account,
            "KeyId": self.key_id,
            "Arn": self.arn,
            "CreationDate": self.created_at,
            "Enabled": self.state is KeyState.ENABLED,
            "Description": self.description,
            "KeyUsage": self.usage,
            "KeyState": self.state.value,
            "Origin": self.origin,
            "KeyManager": self.manager,
            "CustomerMasterKeySpec": self.spec,
            "KeySpec": self.spec,
            specs.ALGORITHMS_MEMBER[self.usage]: list(spec.algorithms[self.usage]),
            "MultiRegion": False,
        }
        if spec.is_symmetric:
            metadata["CurrentKeyMaterialId"] = current_material_id
        if self.deletion_date is not None:
            metadata["DeletionDate"] = self.deletion_date
        return metadata
