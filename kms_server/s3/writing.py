"""Making an object of bytes: what PutObject, CopyObject and form uploads have in common."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kms_server.s3 import conditions, content, metadata
from kms_server.s3.call import S3Call
from kms_server.s3.encryption import headers as sse
from kms_server.s3.encryption.manifest import Checksums, Manifest
from kms_server.s3.encryption.types import MD5_ETAGS, Chosen, Envelope, ObjectKeys, Target
from kms_server.s3.reading import etag_of
from kms_server.storage import objects
from kms_server.storage.buckets import Bucket
from kms_server.storage.objects import NULL, Part, Version

MD5 = "MD5"


class Source(Protocol):
    """Bytes, with their digests once all were read."""

    def want(self, *algorithms: str) -> None:
        """Have digests made; before the first read."""

    def read(self, most: int) -> bytes:
        """The next bytes; empty at the end."""

    def digest(self, algorithm: str) -> bytes:
        """A digest of all bytes."""


@dataclass(frozen=True, slots=True)
class NewObject:
    """What is known of an object before its bytes are there. `checksum` is the algorithm of its checksum."""

    bucket: Bucket
    key: str
    object_id: str
    headers: Mapping[str, str]
    tags: str | None
    storage_class: str
    chosen: Chosen
    checksum: str

    @classmethod
    def of(cls, call: S3Call, values: Mapping[str, str], chosen: Chosen, checksum: str) -> "NewObject":
        """What request headers, or the fields of a form, say of the object.

        Raises:
            S3Error: they cannot be.
        """
        return cls(
            call.bucket, call.key, os.urandom(16).hex(), metadata.kept_headers(values),
            metadata.tags_of_header(values.get("x-amz-tagging")), metadata.storage_class(values), chosen, checksum,
        )  # fmt: skip

    @property
    def target(self) -> Target:
        """What the object's keys are bound to."""
        return Target(self.bucket.name, self.bucket.bucket_id, self.bucket.region, self.key, self.object_id)


class Written(NamedTuple):
    """A new version of an object."""

    version: Version
    etag: str
    envelope: Envelope
    checksums: Checksums
    chosen: Chosen

    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        told = (
            {"ETag": f'"{self.etag}"'}
            | self.checksums.headers()
            | sse.answer(self.envelope, self.chosen.customer)
        )
        return told | version_header(self.version)


def version_header(version: Version) -> dict[str, str]:
    """The header that names a version of a bucket that has, or had, versions."""
    return {} if version.version_id == NULL else {"x-amz-version-id": version.version_id}


def put(call: S3Call, new: NewObject, source: Source) -> Written:
    """Seal the bytes of a source and make them the current version of an object.

    Raises:
        S3Error: the KMS refuses, the bytes are not what was declared, or a condition of the request does not hold.
    """
    keys, envelope = call.services.encryption.create(call.call, new.chosen, new.target)
    source.want(new.checksum, *([MD5] if new.chosen.kind in MD5_ETAGS else ()))
    part = content.store(
        call.services.blobs, keys, source.read, number=1, now=call.call.time, most=call.services.shared.limits.max_put_bytes
    )  # fmt: skip
    etag = source.digest(MD5).hex() if new.chosen.kind in MD5_ETAGS else os.urandom(16).hex()
    checksums = Checksums.whole(new.checksum, source.digest(new.checksum))
    version = sealed_version(call, new, keys, envelope, [part], etag, checksums)
    # What fails from here on leaves the blob to the sweep: only the index knows whether a commit has happened.
    with call.indexing() as connection:
        check_conditions(call, objects.lock(connection, new.bucket.bucket_id, new.key))
        stored = objects.add(connection, version, [part])
    if part.inline is None:
        call.services.blobs.settle(part.blob_id)
    return Written(stored, etag, envelope, checksums, new.chosen)
