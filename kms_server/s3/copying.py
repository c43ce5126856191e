"""The source of a copy: another object, or a part of it, as bytes."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from kms_server.s3 import buckets, conditions, judged, reading, versions
from kms_server.s3.authorization import authorize
from kms_server.s3.call import S3Call
from kms_server.s3.encryption import headers as sse
from kms_server.s3.errors import AccessDenied, InvalidArgument, NoSuchBucket
from kms_server.s3.ranges import Span
from kms_server.s3.reading import Found, Opened
from kms_server.s3.wire.checksums import CHECKSUMS, Hasher
from kms_server.storage.buckets import Bucket

HEADER = "x-amz-copy-source"


class Place(NamedTuple):
    """What x-amz-copy-source names."""

    bucket: str
    key: str
    version_id: str | None


def named(header: str) -> Place:
    """Read the header: `[/]bucket/key[?versionId=id]`, percent-encoded.

    Raises:
        InvalidArgument
    """
    path, _, query = header.partition("?versionId=")
    try:
        bucket, _, key = unquote_to_bytes(path).decode().removeprefix("/").partition("/")
    except UnicodeDecodeError:
        bucket = key = ""
    if not bucket or not key:
        raise InvalidArgument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", ArgumentName=HEADER,
            ArgumentValue=header,
        )  # fmt: skip
    return Place(bucket, key, query or None)


def find(call: S3Call) -> Found:
    """The source, which the caller may read and whose conditions hold; nothing is opened yet.

    Raises:
        S3Error
    """
    place = named(call.request.headers[HEADER])
    loaded = buckets.find(call.services.shared, place.bucket)
    if loaded is None:
        raise NoSuchBucket(BucketName=place.bucket)
    bucket: Bucket = loaded.bucket
    if call.header("x-amz-source-expected-bucket-owner") not in (None, bucket.account):
        raise AccessDenied
    action = "s3:GetObjectVersion" if place.version_id else "s3:GetObject"
    given = judged.given_of_source(call, bucket, place.key, place.version_id)
    authorize(call, action, f"{bucket.arn}/{place.key}", bucket=loaded, given=given)
    with call.services.shared.database.read() as connection:
        version = versions.find(call, connection, bucket, place.key, place.version_id)
        found = Found.of(connection, bucket, version)
    versions.require_readable(version, call.call.time)
    conditions.check_read(
        call.request.headers,
        reading.etag_of(call, bucket, version),
        version.modified_at,
        "x-amz-copy-source-",
    )
    return found


def authorize_tags(call: S3Call, found: Found) -> None:
    """Check that the caller may read the tags of the source, and set them, where it has any (S3 CopyObject).

    Raises:
        AccessDenied
    """
    if found.version.tags is None:
        return
    place, source = named(call.request.headers[HEADER]), f"{found.bucket.arn}/{found.version.key}"
    action = "s3:GetObjectVersionTagging" if place.version_id else "s3:GetObjectTagging"
    given = judged.given_of_source(call, found.bucket, place.key, place.version_id)
    authorize(call, action, source, bucket=buckets.find(call.services.shared, place.bucket), given=given)
    authorize(call, "s3:PutObjectTagging", f"{call.bucket.arn}/{call.key}", given=judged.given(call))


def opened(call: S3Call, found: Found) -> Opened:
    """Open the source, with the customer's key for it where it has one.

    Raises:
        S3Error
    """
    return reading.opened(call, found, sse.source_key(call))


class CopiedBytes:
    """A span of an object as a `Source`."""

    def __init__(self, call: S3Call, source: Opened, span: Span) -> None:
        self._pieces: Iterator[bytes] = source.read(call, span)
        self._hashers: dict[str, Hasher] = {}

    def want(self, *algorithms: str) -> None:
        """As `Source.want`."""
        for name in algorithms:
            self._hashers.setdefault(name, CHECKSUMS[name].hasher())

    def read(self, most: int) -> bytes:  # noqa: ARG002 - pieces have the size that storing asks for
        """As `Source.read`."""
        piece = next(self._pieces, b"")
        for hasher in self._hashers.values():
            hasher.update(piece)
        return piece

    def digest(self, algorithm: str) -> bytes:
        """As `Source.digest`."""
        return self._hashers[algorithm].digest()
