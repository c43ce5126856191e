"""Multipart uploads: finding them, opening their keys, storing a part."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from kms_server.s3 import content
from kms_server.s3.call import S3Call
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption import headers as sse
from kms_server.s3.encryption import manifest
from kms_server.s3.encryption.manifest import PartDetails
from kms_server.s3.encryption.types import MD5_ETAGS, SSE_C, CustomerKey, Envelope, ObjectKeys, Target
from kms_server.s3.errors import InvalidArgument, NoSuchUpload
from kms_server.s3.payloads import Source
from kms_server.s3.wire.checksums import CHECKSUMS
from kms_server.s3.writing import MD5, NewObject, random_etag
from kms_server.storage import uploads
from kms_server.storage.objects import Part
from kms_server.storage.uploads import Upload

MOST_PARTS = 10_000
DEFAULT_CHECKSUM = "CRC64NVME"


def part_number(text: str) -> int:
    """The number of a part.

    Raises:
        InvalidArgument
    """
    if not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= MOST_PARTS:
        raise InvalidArgument(
            f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive", ArgumentName="partNumber",
            ArgumentValue=text,
        )  # fmt: skip
    return int(text)


class OpenUpload(NamedTuple):
    """An upload and its envelope."""

    upload: Upload
    envelope: Envelope
    target: Target

    @property
    def algorithm(self) -> str:
        """The name of the checksum that the object will have."""
        return (self.upload.checksum or DEFAULT_CHECKSUM).partition("/")[0]

    @property
    def checksum_type(self) -> str:
        """COMPOSITE or FULL_OBJECT."""
        return (self.upload.checksum or "").partition("/")[2] or CHECKSUMS[DEFAULT_CHECKSUM].types[0]

    def new_object(self, call: S3Call) -> NewObject:
        """The object that completing the upload makes."""
        upload = self.upload
        return NewObject(
            call.bucket, upload.key, upload.object_id, upload.headers, upload.tags, upload.storage_class
        )

    def keys_for_details(self, call: S3Call, parts: Sequence[Part]) -> ObjectKeys | None:
        """The keys for what is known of parts; None where that is not asked for, or is the customer's who did not send it.

        Raises:
            S3Error: as `keys`.
        """
        customer = sse.customer_key(call)
        if not self.upload.checksum:
            sealed = any(part.etag is None for part in parts)
            if not sealed or (self.upload.kind == SSE_C and customer is None):
                return None
        return self.keys(call, customer)

    def keys(self, call: S3Call, customer: CustomerKey | None) -> ObjectKeys:
        """The keys of the object that is being uploaded.

        Raises:
            S3Error: the KMS refuses, or the customer's key is missing or another one.
        """
        return call.services.encryption.open(call.call, self.envelope, self.target, customer)


def find(call: S3Call) -> OpenUpload:
    """The upload that a request names.

    Raises:
        NoSuchUpload
    """
    with call.services.shared.database.read() as connection:
        found = uploads.get(connection, call.bucket.bucket_id, call.key, call.query["uploadId"])
    return _open(call, found)


def lock(call: S3Call, connection: Connection) -> OpenUpload:
    """The same, kept from changing until the transaction ends.

    Raises:
        NoSuchUpload: it was completed or aborted meanwhile.
    """
    return _open(call, uploads.lock(connection, call.bucket.bucket_id, call.key, call.query["uploadId"]))


def _open(call: S3Call, found: Upload | None) -> OpenUpload:
    if found is None:
        raise NoSuchUpload(UploadId=call.query["uploadId"])
    bucket = call.bucket
    target = Target(bucket.name, bucket.bucket_id, bucket.region, call.key, found.object_id)
    return OpenUpload(found, envelopes.decode(found.envelope), target)


class StoredPart(NamedTuple):
    """A part that was just uploaded, and what its upload is answered with."""

    part: Part
    etag: str
    checksums: dict[str, bytes]


def store_part(
    call: S3Call, opened: OpenUpload, keys: ObjectKeys, source: Source, checksum: str | None
) -> StoredPart:
    """Seal a part's bytes and make it the upload's part of that number; `checksum` is the one its client declares."""
    number, upload = part_number(call.query["partNumber"]), opened.upload
    with_md5 = upload.kind in MD5_ETAGS
    algorithms = {opened.algorithm, checksum or opened.algorithm}
    source.want(*algorithms, *((MD5,) if with_md5 else ()))
    stored = content.store(
        call.services.blobs, keys, source.read, number=number, now=call.call.time,
        most=call.services.shared.limits.max_put_bytes,
    )  # fmt: skip
    checksums = {name: source.digest(name) for name in algorithms}
    etag = source.digest(MD5).hex() if with_md5 else random_etag()
    part = replace(stored, etag=None if with_md5 else etag)
    part = replace(
        part, details=manifest.seal_part(keys, upload.upload_id, part, PartDetails(etag, checksums))
    )
    with call.indexing() as connection:
        uploads.add_part(connection, upload, part)
    content.settle(call.services.blobs, [part])
    return StoredPart(part, etag, checksums)
