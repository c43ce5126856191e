"""Opening an object: its keys, its manifest, its bytes."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection

from kms_server.s3 import content
from kms_server.s3.call import S3Call
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption import manifest
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.encryption.manifest import Manifest
from kms_server.s3.encryption.types import CustomerKey, Envelope, ObjectKeys, Target
from kms_server.s3.errors import InternalError
from kms_server.s3.ranges import Span
from kms_server.storage import objects
from kms_server.storage.buckets import Bucket
from kms_server.storage.objects import Part, Version


def target_of(bucket: Bucket, version: Version) -> Target:
    """What the keys of a version are bound to."""
    return Target(bucket.name, bucket.bucket_id, bucket.region, version.key, version.object_id)


def envelope_of(version: Version) -> Envelope:
    """The envelope of a version.

    Raises:
        InternalError: it is damaged, or the index tells of another one.
    """
    envelope = envelopes.decode(version.envelope)
    told = version.kind, version.key_arn, version.material
    if told != (envelope.kind, envelope.key_arn, envelope.material):
        raise InternalError
    return envelope


class Found(NamedTuple):
    """A version as the index has it, with its parts; nothing is opened yet."""

    bucket: Bucket
    version: Version
    parts: tuple[Part, ...]
    envelope: Envelope

    @classmethod
    def of(cls, connection: Connection, bucket: Bucket, version: Version) -> "Found":
        """A version with its parts, as one moment has them.

        Raises:
            InternalError: see `envelope_of`.
        """
        parts = tuple(objects.parts(connection, version.number))
        return cls(bucket, version, parts, envelope_of(version))

    @property
    def headers(self) -> dict[str, str]:
        """The headers that are kept with the object."""
        headers: dict[str, str] = json.loads(self.version.headers)
        return headers

    @property
    def target(self) -> Target:
        """What the object's keys are bound to."""
        return target_of(self.bucket, self.version)


class Opened(NamedTuple):
    """A version whose keys and manifest are open; all that is said of it has been checked."""

    found: Found
    keys: ObjectKeys
    manifest: Manifest

    def read(self, call: S3Call, span: Span) -> Iterator[bytes]:
        """The bytes of a span; the first of them are checked before this returns.

        Raises:
            InternalError: what is on disk is not what was stored.
        """
        blobs = call.services.blobs
        content.check(blobs, self.found.parts, span)
        pieces = content.read(blobs, self.keys, self.found.parts, span)
        return _begun(next(pieces, b""), pieces)


def _begun(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def opened(call: S3Call, found: Found, customer: CustomerKey | None) -> Opened:
    """Open a version's keys, by the KMS where it takes that, and its manifest.

    Raises:
        S3Error: the KMS refuses, or the customer's key is missing or wrong.
        InternalError: what is stored is not what was written.
    """
    encryption = call.services.encryption
    keys = encryption.open(call.call, found.envelope, found.target, customer)
    return Opened(found, keys, opened_manifest(encryption, keys, found))


def opened_manifest(encryption: Encryption, keys: ObjectKeys | None, found: Found) -> Manifest:
    """The manifest of a version, which tells the same of its parts as the index; see `manifest.opened`.

    Raises:
        InternalError
    """
    read = manifest.opened(encryption, keys, found.version, found.target)
    # The index names the blobs and holds the headers of their parts; the manifest says which ones they must be.
    if read.parts != Manifest.of(read.etag, read.checksums, found.parts).parts:
        raise InternalError
    return read


def etag_of(call: S3Call, bucket: Bucket, version: Version) -> str:
    """The ETag of a version in a bucket, without quotes.

    Raises:
        InternalError: it does not open.
    """
    [etag] = call.services.encryption.open_etags(bucket.region, [version])
    return etag
