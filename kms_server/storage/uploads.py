"""Multipart uploads under way."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload; most members go over to the version that completing it makes. See `objects.Version`."""

    upload_id: str
    bucket_id: str
    key: str
    object_id: str
    account: str
    initiator: str
    started_at: float
    storage_class: str
    kind: str
    key_arn: str | None
    material: str | None
    envelope: bytes
    headers: str
    tags: str | None
    checksum: str | None
