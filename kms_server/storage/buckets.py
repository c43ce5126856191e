"""Buckets and their configuration."""

from dataclasses import dataclass


def scope(name: str) -> str:
    """What stands for a bucket's configuration in the order of changes."""
    return f"bucket:{name}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket; `bucket_id` is opaque and never used again, `created_at` in epoch seconds.

    `versioning` is empty until it was ever set, then Enabled or Suspended. What else is configured are documents as their
    operations read and write them, None where nothing is set.
    """

    name: str
    bucket_id: str
    account: str
    region: str
    created_at: float
    versioning: str = ""
    encryption: str | None = None
    policy: str | None = None
    public_access: str | None = None
    ownership: str | None = None
    tags: str | None = None

    @property
    def arn(self) -> str:
        """The ARN of the bucket."""
        return f"arn:aws:s3:::{self.name}"
