"""What a seed file asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kms_server.keys import rotation
from kms_server.keys.identifiers import is_multi_region
from kms_server.keys.key import AWS_KMS, KmsKey
from kms_server.keys.states import KeyState


@dataclass(frozen=True, slots=True)
class SeedKey:
    """A key to be. `where` is its place in the file.

    `material` is in the form in which it is stored, oldest first, and empty where it is to be imported later. Where
    there is a `next_rotation`, in epoch seconds, there is a period.
    """

    where: str
    key_id: str
    account: str
    region: str
    spec: str
    usage: str
    material: tuple[bytes, ...] = field(repr=False)
    origin: str = AWS_KMS
    enabled: bool = True
    description: str = ""
    policy: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    rotation_period_days: int | None = None
    next_rotation: float | None = None

    def planned(self, policy: str, now: float) -> KmsKey:
        """The key as it is made at `now`; a rotation that is overdue happens once and at once."""
        state = KeyState.ENABLED if self.enabled else KeyState.DISABLED
        following = None
        if self.rotation_period_days is not None:
            following = rotation.next_after(now, self.rotation_period_days)
            if self.next_rotation is not None:
                following = max(self.next_rotation, now)
        return KmsKey(
            key_id=self.key_id, account=self.account, region=self.region, spec=self.spec, usage=self.usage,
            origin=self.origin, manager="CUSTOMER", state=state if self.material else KeyState.PENDING_IMPORT,
            description=self.description, policy=policy, created_at=now,
            rotation_period_days=self.rotation_period_days, next_rotation_at=following,
            primary_region=self.region if is_multi_region(self.key_id) else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeedAlias:
    """A name to be; `where` is its place in the file."""

    where: str
    account: str
    region: str
    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Seed:
    """All that one file asks for."""

    keys: Sequence[SeedKey]
    aliases: Sequence[SeedAlias]


@dataclass(frozen=True, slots=True)
class Home:
    """The account and Region of what names none itself."""

    account: str
    region: str
