"""What encryption a request asks for, and what is kept of it with an object."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

SSE_S3 = "AES256"
SSE_KMS = "aws:kms"
DSSE_KMS = "aws:kms:dsse"
SSE_C = "SSE-C"
# Kinds of which the ETag is made of MD5s.
MD5_ETAGS = frozenset({SSE_S3})


class CustomerKey(NamedTuple):
    """The key of SSE-C: 32 bytes, and its MD5 in base64 as the client sent it."""

    key: bytes
    md5: str

    def __repr__(self) -> str:
        return f"CustomerKey(md5={self.md5!r})"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The encryption of a new object: what the request asks for, or else the bucket's default.

    `key_id` names a KMS key as it was sent; None: the AWS managed key. `context` are the user's own pairs.
    """

    kind: str
    key_id: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    bucket_key: bool = False
    customer: CustomerKey | None = None


class Target(NamedTuple):
    """The object that a key is for; `object_id` is the opaque id of the version."""

    bucket: str
    bucket_id: str
    region: str
    key: str
    object_id: str

    @property
    def arn(self) -> str:
        """The ARN of the object."""
        return f"{self.bucket_arn}/{self.key}"

    @property
    def bucket_arn(self) -> str:
        """The ARN of its bucket."""
        return f"arn:aws:s3:::{self.bucket}"


class ObjectKeys(NamedTuple):
    """The keys of one object, 32 bytes each; `outer` is that of the second layer of DSSE."""

    inner: bytes
    outer: bytes | None = None

    @classmethod
    def fresh(cls, *, layers: int) -> "ObjectKeys":
        """New keys of an object."""
        return cls(*(os.urandom(32) for _ in range(layers)))

    def __repr__(self) -> str:
        return "ObjectKeys(...)"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The wrapped keys of an object, and all that is needed to open them but the key they are under.

    `data_key` is the KMS's ciphertext, of the bucket key where `bucket_key` is set. `wrapped` is the object key;
    `wrapped_outer` that of DSSE's second layer. `material` names the backing key of the SSE-S3 master, for the kinds that
    it wraps. `check` is the salt and HMAC of SSE-C.
    """

    kind: str
    wrapped: bytes
    key_arn: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    bucket_key: bool = False
    data_key: bytes = b""
    wrapped_outer: bytes = b""
    material: str | None = None
    check: bytes = b""
