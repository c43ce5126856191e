"""Finding the version of an object that a request means, and whether it may be read."""

from sqlalchemy import Connection

from kms_server.clock import http_date
from kms_server.s3.authorization import may
from kms_server.s3.call import S3Call
from kms_server.s3.errors import (
    AccessDenied,
    InvalidArgument,
    InvalidObjectState,
    MethodNotAllowed,
    NoSuchKey,
    NoSuchVersion,
)
from kms_server.s3.metadata import ARCHIVED
from kms_server.storage import objects
from kms_server.storage.buckets import Bucket
from kms_server.storage.objects import Version

_LONGEST_ID = 1_024
_MARKED = "x-amz-delete-marker"


def find(call: S3Call, connection: Connection, bucket: Bucket, key: str, version_id: str | None) -> Version:
    """The version of that id, or the current one; no delete marker.

    Raises:
        NoSuchKey, NoSuchVersion, MethodNotAllowed
        AccessDenied: there is none, and the caller may not know that.
    """
    if version_id is not None:
        version = named(connection, bucket.bucket_id, key, version_id)
        if version.is_marker:
            call.answered.update({_MARKED: "true", "Allow": "DELETE"})
            raise MethodNotAllowed(Method=call.request.method, ResourceType="DeleteMarker")
        return version
    current = objects.current(connection, bucket.bucket_id, key)
    if current is not None and not current.is_marker:
        return current
    if not may(call, "s3:ListBucket", bucket.arn):
        raise AccessDenied
    if current is not None:
        call.answered.update({_MARKED: "true", "x-amz-version-id": current.version_id})
    raise NoSuchKey(Key=key)


def named(connection: Connection, bucket_id: str, key: str, version_id: str) -> Version:
    """The version of that id, a delete marker or not.

    Raises:
        NoSuchVersion, InvalidArgument
    """
    if not version_id or len(version_id) > _LONGEST_ID:
        raise InvalidArgument(
            "Invalid version id specified", ArgumentName="versionId", ArgumentValue=version_id
        )
    found = objects.version(connection, bucket_id, key, version_id)
    if found is None:
        raise NoSuchVersion(Key=key, VersionId=version_id)
    return found


def require_readable(version: Version, now: float) -> None:
    """Check that an archived version has been restored.

    Raises:
        InvalidObjectState
    """
    if version.storage_class not in ARCHIVED:
        return
    begin, end = version.restored_from, version.restored_until
    if begin is None or end is None or not begin <= now < end:
        raise InvalidObjectState(StorageClass=version.storage_class)


def restore_header(version: Version, now: float) -> str | None:
    """The value of x-amz-restore (S3 HeadObject); None where no restore was asked for, or its copy is gone."""
    begin, end = version.restored_from, version.restored_until
    if begin is None or end is None or now >= end:
        return None
    if now < begin:
        return 'ongoing-request="true"'
    return f'ongoing-request="false", expiry-date="{http_date(end)}"'
