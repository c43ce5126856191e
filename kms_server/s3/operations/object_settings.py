"""What belongs to an object beside its bytes: tagging, attributes, restoring from an archive."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from kms_server.clock import DAY
from kms_server.s3 import metadata, versions
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.errors import InvalidObjectState, MalformedXML, RestoreAlreadyInProgress
from kms_server.s3.wire import xml_reader, xml_writer
from kms_server.storage import objects
from kms_server.storage.objects import Version


def get_tagging(call: S3Call) -> S3Answer:
    """The tags of an object (S3 GetObjectTagging)."""
    version = _version(call)
    return S3Answer(headers=_version_header(version), body=tagging_document(metadata.read_tags(version.tags)))


def put_tagging(call: S3Call) -> S3Answer:
    """Replace the tags of an object (S3 PutObjectTagging)."""
    tags = metadata.written_tags(read_tagging(call.document("Tagging")))
    return S3Answer(headers=_version_header(_tagged(call, tags)))


def delete_tagging(call: S3Call) -> S3Answer:
    """Remove the tags of an object (S3 DeleteObjectTagging)."""
    return S3Answer(204, headers=_version_header(_tagged(call, None)))


def tagging_document(tags: Mapping[str, str]) -> bytes:
    """The XML of tags."""
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    return xml_writer.document("Tagging", {"TagSet": {"Tag": listed}})


def read_tagging(document: Element) -> list[tuple[str, str]]:
    """The tags of a document called Tagging.

    Raises:
        MalformedXML
    """
    sets = document.findall("TagSet")
    if len(sets) != 1:
        raise MalformedXML
    return [_pair(tag) for tag in sets[0].findall("Tag")]


def _pair(tag: Element) -> tuple[str, str]:
    key, value = tag.find("Key"), tag.find("Value")
    if key is None or value is None:
        raise MalformedXML
    return key.text or "", value.text or ""


def restore_object(call: S3Call) -> S3Answer:
    """Make an archived object readable for some days, after the time that this takes (S3 RestoreObject)."""
    days = _days(call.document("RestoreRequest"))
    now = call.call.time
    version = _version(call)
    if version.storage_class not in metadata.ARCHIVED:
        raise InvalidObjectState(
            "Restore is not allowed for the object's current storage class",
            StorageClass=version.storage_class,
        )
    begin, end = version.restored_from, version.restored_until
    if begin is not None and begin > now:
        raise RestoreAlreadyInProgress
    is_restored = begin is not None and end is not None and now < end
    ready = begin if is_restored else now + call.services.restore_delay
    assert ready is not None  # noqa: S101 - what is restored has a beginning
    with call.indexing() as connection:
        objects.change(connection, version, restored_from=ready, restored_until=max(now, ready) + days * DAY)
    return S3Answer(200 if is_restored else 202)


def _days(document: Element) -> int:
    text = xml_reader.text_of(document, "Days")
    if text is None or not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= 36_500:
        raise MalformedXML
    return int(text)


def _version(call: S3Call) -> Version:
    with call.services.shared.database.read() as connection:
        return versions.find(call, connection, call.bucket, call.key, call.query.get("versionId"))


def _tagged(call: S3Call, tags: str | None) -> Version:
    with call.indexing() as connection:
        objects.lock(connection, call.bucket.bucket_id, call.key)
        version = versions.find(call, connection, call.bucket, call.key, call.query.get("versionId"))
        objects.change(connection, version, tags=tags)
    return version


def _version_header(version: Version) -> dict[str, str]:
    return {} if version.version_id == objects.NULL else {"x-amz-version-id": version.version_id}


OPERATIONS = (
    S3Operation(
        "GetObjectTagging", get_tagging, "GET", Level.OBJECT, "s3:GetObjectTagging", queries=("tagging",),
        version_action="s3:GetObjectVersionTagging", is_data=True,
    ),
    S3Operation(
        "PutObjectTagging", put_tagging, "PUT", Level.OBJECT, "s3:PutObjectTagging", queries=("tagging",),
        version_action="s3:PutObjectVersionTagging", is_data=True, writes=True,
    ),
    S3Operation(
        "DeleteObjectTagging", delete_tagging, "DELETE", Level.OBJECT, "s3:DeleteObjectTagging", queries=("tagging",),
        version_action="s3:DeleteObjectVersionTagging", is_data=True, writes=True,
    ),
    S3Operation(
        "RestoreObject", restore_object, "POST", Level.OBJECT, "s3:RestoreObject", queries=("restore",), is_data=True,
        writes=True,
    ),
)  # fmt: skip
