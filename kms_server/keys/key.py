"""A KMS key and the versions of its material."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kms_server.arn import key_arn
from kms_server.keys import specs
from kms_server.keys.states import KeyState

CURRENT, NON_CURRENT = "CURRENT", "NON_CURRENT"
PENDING_ROTATION = "PENDING_ROTATION"
PENDING_MULTI_REGION = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
AWS_KMS, EXTERNAL = "AWS_KMS", "EXTERNAL"


@dataclass(frozen=True, slots=True)
class BackingKey:
    """One version of a key's material, wrapped under the root key; `number` counts from 1, times are epoch seconds.

    `status` is AWS's KeyMaterialState. Imported material has a `fingerprint`, may expire at `valid_to`, and has no
    `wrapped` bytes while it is deleted, expired, or not yet imported into this Region.
    """

    material_id: str
    number: int
    status: str
    wrapped: bytes | None = field(repr=False)
    created_at: float
    rotation_type: str | None = None
    rotated_at: float | None = None
    fingerprint: bytes | None = field(default=None, repr=False)
    description: str | None = None
    valid_to: float | None = None

    @property
    def is_permanent(self) -> bool:
        """Whether ciphertexts may exist under it."""
        return self.status in {CURRENT, NON_CURRENT}


@dataclass(frozen=True, slots=True)
class KmsKey:
    """The properties of a KMS key; times are epoch seconds. `primary_region` is None for single-Region keys."""

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
    deletion_date: float | None = None
    pending_window_days: int | None = None
    rotation_period_days: int | None = None
    next_rotation_at: float | None = None
    scheduled_rotation_at: float | None = None
    on_demand_rotations: int = 0
    primary_region: str | None = None
    arn: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arn", key_arn(self.region, self.account, self.key_id))

    @property
    def is_replica(self) -> bool:
        """Whether it follows a primary in another Region."""
        return self.primary_region not in {None, self.region}

    def arn_in(self, region: str) -> str:
        """The ARN of the member of this multi-Region key in a Region."""
        return key_arn(region, self.account, self.key_id)

    def metadata(self, versions: Sequence[BackingKey], regions: Sequence[str]) -> dict[str, object]:
        """AWS's KeyMetadata; `regions` are those of all members of a multi-Region key."""
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
            "KeySpec": self.spec,
            specs.ALGORITHMS_MEMBER[self.usage]: list(spec.algorithms[self.usage]),
            "MultiRegion": self.primary_region is not None,
        }
        if spec.has_older_name:
            metadata["CustomerMasterKeySpec"] = self.spec
        if self.deletion_date is not None:
            metadata["DeletionDate"] = self.deletion_date
        if self.pending_window_days is not None:
            metadata["PendingDeletionWindowInDays"] = self.pending_window_days
        return metadata | self._of_material(versions, spec) | self._of_members(regions)

    def _of_material(self, versions: Sequence[BackingKey], spec: specs.KeySpec) -> dict[str, object]:
        current = next((version for version in versions if version.status == CURRENT), None)
        if current is None:
            return {}
        shown: dict[str, object] = {}
        if spec.is_symmetric:
            shown["CurrentKeyMaterialId"] = current.material_id
        if self.origin == EXTERNAL and current.wrapped is not None:
            shown |= expiration(current)
        return shown

    def _of_members(self, regions: Sequence[str]) -> dict[str, object]:
        if self.primary_region is None:
            return {}
        members = [
            {"Arn": self.arn_in(region), "Region": region}
            for region in sorted(regions)
            if region != self.primary_region
        ]
        return {
            "MultiRegionConfiguration": {
                "MultiRegionKeyType": "REPLICA" if self.is_replica else "PRIMARY",
                "PrimaryKey": {"Arn": self.arn_in(self.primary_region), "Region": self.primary_region},
                "ReplicaKeys": members,
            }
        }


def expiration(version: BackingKey) -> dict[str, object]:
    """How long imported material is kept, as AWS shows it."""
    if version.valid_to is None:
        return {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    return {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": version.valid_to}
