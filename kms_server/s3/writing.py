"""Making an object of bytes: what PutObject, CopyObject, multipart and form uploads have in common."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from kms_server.s3 import conditions, content, judged, metadata
from kms_server.s3.authorization import authorize
from kms_server.s3.call import S3Call
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption import headers as sse
from kms_server.s3.encryption import manifest
from kms_server.s3.encryption.manifest import Checksums, Manifest
from kms_server.s3.encryption.types import MD5_ETAGS, Chosen, CustomerKey, Envelope, ObjectKeys, Target
from kms_server.s3.payloads import Source
from kms_server.s3.reading import etag_of
from kms_server.storage import objects
from kms_server.storage.buckets import Bucket
from kms_server.storage.objects import NULL, Part, Version

MD5 = "MD5"


@dataclass(frozen=True, slots=True)
class NewObject:
    """What is known of an object before its bytes are there. `headers` and `tags` are as they are kept."""

    bucket: Bucket
    key: str
    object_id: str
    headers: str
    tags: str | None
    storage_class: str

    @classmethod
    def of(cls, call: S3Call, values: Mapping[str, str]) -> "NewObject":
        """What request headers, or the fields of a form, say of the object.

        Raises:
            AccessDenied: the caller may not set tags.
            S3Error: they cannot be.
        """
        metadata.require_no_lock(values)
        if values.get("x-amz-tagging"):
            given = replace(judged.given(call), headers=values)
            authorize(call, "s3:PutObjectTagging", f"{call.bucket.arn}/{call.key}", given=given)
        return cls(
            call.bucket, call.key, os.urandom(16).hex(), json.dumps(metadata.kept_headers(values)),
            metadata.tags_of_header(values.get("x-amz-tagging")), metadata.storage_class(values),
        )  # fmt: skip

    @property
    def target(self) -> Target:
        """What the object's keys are bound to."""
        return Target(self.bucket.name, self.bucket.bucket_id, self.bucket.region, self.key, self.object_id)


class Sealed(NamedTuple):
    """All that becomes of an object's bytes; `keys` are None where they are the customer's and not here."""

    keys: ObjectKeys | None
    envelope: Envelope
    parts: Sequence[Part]
    etag: str
    checksums: Checksums


class Written(NamedTuple):
    """A new version of an object."""

    version: Version
    sealed: Sealed

    def headers(self, customer: CustomerKey | None) -> dict[str, str]:
        """The headers of the answer."""
        told = {"ETag": f'"{self.sealed.etag}"'} | self.sealed.checksums.headers()
        told |= sse.answer(self.sealed.envelope, customer, with_context=True)
        return told | version_header(self.version)


def version_header(version: Version) -> dict[str, str]:
    """The header that names a version of a bucket that has, or had, versions."""
    return {} if version.version_id == NULL else {"x-amz-version-id": version.version_id}


def random_etag() -> str:
    """An ETag that says nothing about the bytes."""
    return os.urandom(16).hex()


def put(call: S3Call, new: NewObject, encryption: Chosen, source: Source, checksum: str) -> Written:
    """Seal the bytes of a source and make them the current version of an object.

    Raises:
        S3Error: the KMS refuses, the bytes are not what was declared, or a condition of the request does not hold.
    """
    services, with_md5 = call.services, encryption.kind in MD5_ETAGS
    keys, envelope = services.encryption.create(call.call, encryption, new.target)
    source.want(checksum, *((MD5,) if with_md5 else ()))
    part = content.store(
        services.blobs,
        keys,
        source.read,
        number=1,
        now=call.call.time,
        most=services.shared.limits.max_put_bytes,
    )
    etag = source.digest(MD5).hex() if with_md5 else random_etag()
    sealed = Sealed(keys, envelope, (part,), etag, Checksums.whole(checksum, source.digest(checksum)))
    version = sealed_version(call, new, sealed)
    # What fails from here on leaves the blob to the sweep: only the index knows whether a commit has happened.
    with call.indexing() as connection:
        if conditions.is_conditional(call.request.headers):
            check_conditions(call, objects.lock(connection, new.bucket.bucket_id, new.key))
        version = objects.add(connection, version, [part])
    content.settle(services.blobs, [part])
    return Written(version, sealed)


def sealed_version(call: S3Call, new: NewObject, sealed: Sealed, *, part_count: int | None = None) -> Version:
    """The version that the index will have."""
    bucket, envelope, encryption = new.bucket, sealed.envelope, call.services.encryption
    clear = envelope.kind not in MD5_ETAGS
    version = Version(
        number=0, bucket_id=bucket.bucket_id, key=new.key, version_id=new_version_id(bucket), object_id=new.object_id,
        account=bucket.account, is_marker=False, modified_at=call.call.time,
        size=sum(part.size for part in sealed.parts), etag=sealed.etag if clear else None,
        sealed_etag=None if clear
        else encryption.seal_etag(bucket.region, bucket.bucket_id, new.object_id, sealed.etag),
        storage_class=new.storage_class, kind=envelope.kind, key_arn=envelope.key_arn, material=envelope.material,
        envelope=envelopes.encode(envelope), headers=new.headers, tags=new.tags,
        checksum=sealed.checksums.label, part_count=part_count,
    )  # fmt: skip
    listed = Manifest.of(sealed.etag, sealed.checksums, sealed.parts)
    return replace(version, manifest=manifest.sealed(encryption, sealed.keys, version, new.target, listed))


def new_version_id(bucket: Bucket) -> str:
    """The id of a new version."""
    return os.urandom(16).hex() if bucket.versioning == "Enabled" else NULL


def check_conditions(call: S3Call, current: Version | None) -> None:
    """Check the conditions of a write against the current version.

    Raises:
        PreconditionFailed, NoSuchKey, NotBuilt
    """
    if not conditions.is_conditional(call.request.headers):
        return
    there = current is not None and not current.is_marker
    conditions.check_write(
        call.request.headers, etag_of(call, call.bucket, current) if there and current else None
    )
