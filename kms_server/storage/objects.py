"""Objects: versions by bucket and key, and the parts that hold their bytes."""

from dataclasses import dataclass

NULL = "null"


@dataclass(frozen=True, slots=True)
class Part:
    """One upload of bytes: a blob of that id, or `inline` where they are few.

    `size` is that of the plaintext in bytes, `header` what stands before the sealed chunks. The rest is for parts of a
    multipart upload: `etag` is None where it is sealed; `details` are sealed.
    """

    blob_id: str
    number: int
    size: int
    header: bytes
    inline: bytes | None
    modified_at: float
    etag: str | None = None
    details: bytes | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an object, or a delete marker; times are epoch seconds, `size` is in bytes.

    `number` orders versions by age. `version_id` is `null` outside versioned buckets. `object_id` is opaque and what
    envelopes are bound to. `etag` is None where `sealed_etag` has it. `kind` is the kind of encryption, `key_arn` its KMS
    key, `material` the backing key of the SSE-S3 master that wraps a key of this version. `headers` and `tags` are JSON
    objects. `checksum` names algorithm and type, such as `CRC64NVME/FULL_OBJECT`; the values are in the sealed manifest.
    """

    number: int
    bucket_id: str
    key: str
    version_id: str
    object_id: str
    account: str
    is_marker: bool
    modified_at: float
    size: int = 0
    etag: str | None = None
    sealed_etag: bytes | None = None
    storage_class: str = "STANDARD"
    kind: str = ""
    key_arn: str | None = None
    material: str | None = None
    envelope: bytes = b""
    manifest: bytes = b""
    headers: str = "{}"
    tags: str | None = None
    checksum: str | None = None
    part_count: int | None = None
    restored_until: float | None = None
