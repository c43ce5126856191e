"""DeleteObject and DeleteObjects."""

import os
from typing import NamedTuple
from xml.etree.ElementTree import Element

from sqlalchemy import Connection

from kms_server.s3 import conditions
from kms_server.s3.authorization import authorize
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.condition_keys import Given
from kms_server.s3.errors import InvalidRequest, MalformedXML, PreconditionFailed, S3Error
from kms_server.s3.reading import etag_of
from kms_server.s3.wire import paths, xml_reader, xml_writer
from kms_server.storage import objects
from kms_server.storage.objects import NULL, Version

_MOST_KEYS = 1_000
_MOST_BODY = 2_097_152


class Removed(NamedTuple):
    """What became of a version: `marker` is whether that is, or was, a delete marker; `made` whether it is a new one."""

    version_id: str | None
    marker: bool
    made: bool

    def headers(self) -> dict[str, str]:
        """The headers of DeleteObject's answer."""
        told = {} if self.version_id is None else {"x-amz-version-id": self.version_id}
        return told | ({"x-amz-delete-marker": "true"} if self.marker else {})


def delete_object(call: S3Call) -> S3Answer:
    """Remove a version, or put a delete marker on top (S3 DeleteObject)."""
    match = call.header("if-match")
    call.services.encryption.prepare_etags(call.bucket.region)
    with call.indexing() as connection:
        removed = remove(call, connection, call.key, call.query.get("versionId"), match)
    return S3Answer(204, headers=removed.headers())


def remove(
    call: S3Call, connection: Connection, key: str, version_id: str | None, match: str | None
) -> Removed:
    """Delete one object as the versioning of its bucket has it.

    Raises:
        PreconditionFailed: `match` is the ETag of another.
    """
    bucket = call.bucket
    current = objects.lock(connection, bucket.bucket_id, key)
    if version_id is not None:
        found = objects.version(connection, bucket.bucket_id, key, version_id)
        _check_match(call, found, match)
        if found is not None:
            objects.remove(connection, found)
        return Removed(version_id, marker=found is not None and found.is_marker, made=False)
    _check_match(call, None if current is None or current.is_marker else current, match)
    if not bucket.versioning:
        if current is not None:
            objects.remove(connection, current)
        return Removed(None, marker=False, made=False)
    made = NULL if bucket.versioning == "Suspended" else os.urandom(16).hex()
    marker = Version(
        0, bucket.bucket_id, key, made, os.urandom(16).hex(), bucket.account, is_marker=True,
        modified_at=call.call.time,
    )  # fmt: skip
    objects.add(connection, marker, [])
    return Removed(made, marker=True, made=True)


def _check_match(call: S3Call, version: Version | None, match: str | None) -> None:
    if match is None:
        return
    if version is None:
        raise PreconditionFailed(Condition="If-Match")
    conditions.check_write({"if-match": match}, etag_of(call, call.bucket, version))


def delete_objects(call: S3Call) -> S3Answer:
    """Remove up to 1,000 objects; each by itself is allowed or refused (S3 DeleteObjects)."""
    if not call.payload.is_checked:
        raise InvalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    document = xml_reader.parse(call.payload.whole(_MOST_BODY), "Delete")
    wanted = [_Wanted.of(element) for element in document.findall("Object")]
    if not 1 <= len(wanted) <= _MOST_KEYS:
        raise MalformedXML
    quiet = xml_reader.text_of(document, "Quiet") == "true"
    outcomes: dict[_Wanted, Removed | S3Error] = {}
    call.services.encryption.prepare_etags(call.bucket.region)
    with call.indexing() as connection:
        # In one order everywhere: two requests that lock several keys must not wait for each other.
        for one in sorted(set(wanted)):
            outcomes[one] = _remove_one(call, connection, one)
    told = [(one, outcomes[one]) for one in dict.fromkeys(wanted)]
    return S3Answer(
        body=xml_writer.document("DeleteResult", {
            "Deleted": [_deleted(one, done) for one, done in told if isinstance(done, Removed) and not quiet],
            "Error": [_refused(one, error) for one, error in told if isinstance(error, S3Error)],
        })
    )  # fmt: skip


class _Wanted(NamedTuple):
    key: str
    version_id: str
    etag: str

    @classmethod
    def of(cls, element: Element) -> "_Wanted":
        key = element.findtext("Key")
        if not key:
            raise MalformedXML
        return cls(key, element.findtext("VersionId") or "", element.findtext("ETag") or "")


def _remove_one(call: S3Call, connection: Connection, one: _Wanted) -> Removed | S3Error:
    action = "s3:DeleteObjectVersion" if one.version_id else "s3:DeleteObject"
    try:
        paths.check_key(one.key)
        authorize(call, action, f"{call.bucket.arn}/{one.key}", given=Given(version=one.version_id or None))
        return remove(call, connection, one.key, one.version_id or None, one.etag or None)
    except S3Error as error:
        return error


def _deleted(one: _Wanted, done: Removed) -> dict[str, xml_writer.Content]:
    return {
        "Key": one.key,
        "VersionId": one.version_id or None,
        "DeleteMarker": True if done.marker else None,
        "DeleteMarkerVersionId": done.version_id if done.marker else None,
    }


def _refused(one: _Wanted, error: S3Error) -> dict[str, xml_writer.Content]:
    return {"Key": one.key, "VersionId": one.version_id or None, "Code": error.code, "Message": error.message}


OPERATIONS = (
    S3Operation(
        "DeleteObject", delete_object, "DELETE", Level.OBJECT, "s3:DeleteObject",
        version_action="s3:DeleteObjectVersion", is_data=True, writes=True,
    ),
    S3Operation(
        "DeleteObjects", delete_objects, "POST", Level.BUCKET, "", queries=("delete",), is_data=True, writes=True,
    ),
)  # fmt: skip
