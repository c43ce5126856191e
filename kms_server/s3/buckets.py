"""Buckets as calls use them: with their policy compiled, kept until something of them changes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

from sqlalchemy import Connection

from kms_server.iam.authority import Authority, Rule
from kms_server.iam.policy import compile_bucket_policy
from kms_server.iam.statement import CompiledPolicy
from kms_server.operations.call import Services
from kms_server.s3.public_access import PublicAccessBlock, is_public
from kms_server.storage import buckets
from kms_server.storage.buckets import Bucket

Made = TypeVar("Made")

# A policy cannot keep the owner's root from its own repair (AWS PutBucketPolicy).
_RULE = Rule(
    spans=True, shares=True,
    undeniable=frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}),
)  # fmt: skip
_NO_POLICY = CompiledPolicy(())


@dataclass(frozen=True, slots=True)
class LoadedBucket:
    """A bucket, and what its configuration means."""

    bucket: Bucket
    is_public: bool = field(init=False)
    public_access: PublicAccessBlock = field(init=False)
    authority: Authority = field(init=False, repr=False)
    _made: dict[Callable[[Bucket], object], object] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        bucket = self.bucket
        policy = _NO_POLICY if bucket.policy is None else compile_bucket_policy(bucket.policy)
        blocked = PublicAccessBlock.load(bucket.public_access)
        public = is_public(policy)
        rule = replace(_RULE, closed=public and blocked.restrict_public_buckets)
        object.__setattr__(self, "is_public", public)
        object.__setattr__(self, "public_access", blocked)
        object.__setattr__(
            self, "authority", Authority(bucket.account, bucket.arn, policy, "bucket policy", rule)
        )

    def once(self, make: Callable[[Bucket], Made]) -> Made:
        """What `make`, a function of a module, makes of the bucket: made at the first use, and kept with it."""
        if make not in self._made:
            self._made[make] = make(self.bucket)
        return cast("Made", self._made[make])


def find(services: Services, name: str, *, may_block: bool = True) -> LoadedBucket | None:
    """The bucket of that name, whosever it is; no older than the last refresh of the keyring.

    Raises:
        WouldBlock: it is not here and `may_block` is false.
    """
    if "\0" in name:
        return None  # PostgreSQL cannot even be asked
    return services.keyring.kept(buckets.scope(name), _load, name, may_block=may_block)


def _load(connection: Connection, name: str) -> LoadedBucket | None:
    bucket = buckets.get(connection, name)
    return LoadedBucket(bucket) if bucket else None
