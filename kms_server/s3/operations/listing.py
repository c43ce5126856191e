"""ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from sqlalchemy import Connection

from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.errors import InvalidArgument
from kms_server.s3.operations.list_query import ListQuery, checksum_members, owner, whole_seconds
from kms_server.s3.rolling import Page, Place, after_marker, roll_up
from kms_server.s3.wire.xml_writer import Content, document
from kms_server.storage import object_lists, objects, uploads
from kms_server.storage.objects import Version
from kms_server.storage.uploads import Upload

# What a continuation token begins with, so that another form can be told from it.
_TOKEN = b"\x01"
_LARGEST_NUMBER = 2**63 - 1


def list_objects(call: S3Call) -> S3Answer:
    """A page of a bucket's objects (S3 ListObjects)."""
    query = ListQuery.of(call, "max-keys", "maxKeys")
    marker = call.query.get("marker", "")
    page = _current(call, query, after_marker(marker, query.prefix, query.delimiter))
    last = page.last if isinstance(page.last, str | None) else page.last.key
    told = query.delimiter and page.more and last is not None
    body: dict[str, Content] = {
        "Name": call.bucket_name, "Prefix": query.shown(query.prefix), "Marker": query.shown(marker),
        "NextMarker": query.shown(last or "") if told else None, **query.echo("MaxKeys"), "IsTruncated": page.more,
        "Contents": _contents(call, query, page.items, owned=True), "CommonPrefixes": query.common(page.prefixes),
    }  # fmt: skip
    return S3Answer(body=document("ListBucketResult", body))


def list_objects_v2(call: S3Call) -> S3Answer:
    """A page of a bucket's objects, in the newer form (S3 ListObjectsV2)."""
    query = ListQuery.of(call, "max-keys", "maxKeys")
    token, start = call.query.get("continuation-token"), call.query.get("start-after")
    page = _current(call, query, (start or "").encode() if token is None else _opened(token))
    owned = call.query.get("fetch-owner") == "true"
    body: dict[str, Content] = {
        "Name": call.bucket_name, "Prefix": query.shown(query.prefix),
        "StartAfter": None if start is None else query.shown(start), "ContinuationToken": token,
        "NextContinuationToken": _token(page.place.key or b"") if page.more else None, "KeyCount": len(page),
        **query.echo("MaxKeys"), "IsTruncated": page.more,
        "Contents": _contents(call, query, page.items, owned=owned), "CommonPrefixes": query.common(page.prefixes),
    }  # fmt: skip
    return S3Answer(body=document("ListBucketResult", body))


def list_object_versions(call: S3Call) -> S3Answer:
    """A page of the versions and delete markers of a bucket's keys, newest first (S3 ListObjectVersions)."""
    query = ListQuery.of(call, "max-keys", "maxKeys")
    key_marker, version_marker = call.query.get("key-marker", ""), call.query.get("version-id-marker")
    bucket_id, prefix = call.bucket.bucket_id, query.prefix.encode()
    with call.services.shared.database.read() as connection:
        start = _version_place(call, connection, query, key_marker, version_marker)
        page: Page[Version, int] = roll_up(
            lambda place, count: object_lists.list_versions(connection, bucket_id, prefix, *place, count),
            lambda one: Place(one.key.encode(), one.number),
            query.prefix, query.delimiter, query.limit, start,
        )  # fmt: skip
        newest = objects.newest(connection, bucket_id, page.items[0].key) if page.items else None
    last = page.last if page.more else None
    body: dict[str, Content] = {
        "Name": call.bucket_name, "Prefix": query.shown(query.prefix), "KeyMarker": query.shown(key_marker),
        "VersionIdMarker": version_marker or "",
        "NextKeyMarker": None if last is None else query.shown(last if isinstance(last, str) else last.key),
        "NextVersionIdMarker": f"{last.version_id}.{last.number}" if isinstance(last, Version) else None,
        **query.echo("MaxKeys"), "IsTruncated": page.more,
    }  # fmt: skip
    shown = _versions(call, query, page.items, newest)
    prefixes = ("CommonPrefixes", query.common(page.prefixes))
    return S3Answer(body=document("ListVersionsResult", body, following=[*shown, prefixes]))


def list_multipart_uploads(call: S3Call) -> S3Answer:
    """A page of a bucket's uploads under way (S3 ListMultipartUploads)."""
    query = ListQuery.of(call, "max-uploads", "max-uploads")
    key_marker, upload_marker = call.query.get("key-marker", ""), call.query.get("upload-id-marker", "")
    bucket_id, prefix = call.bucket.bucket_id, query.prefix.encode()
    place = after_marker(key_marker, query.prefix, query.delimiter)
    with call.services.shared.database.read() as connection:
        page: Page[Upload, str] = roll_up(
            lambda place, count: uploads.of_bucket(connection, bucket_id, prefix, *place, count),
            lambda one: Place(one.key.encode(), one.upload_id),
            query.prefix, query.delimiter, query.limit, Place(place, upload_marker or None),
        )  # fmt: skip
    last = page.last or ""
    body: dict[str, Content] = {
        "Bucket": call.bucket_name, "KeyMarker": query.shown(key_marker),
        "UploadIdMarker": upload_marker if key_marker else "",
        "NextKeyMarker": query.shown(last.key if isinstance(last, Upload) else last),
        "NextUploadIdMarker": last.upload_id if isinstance(last, Upload) else "",
        "Prefix": query.shown(query.prefix), **query.echo("MaxUploads"), "IsTruncated": page.more,
        "Upload": [_upload(query, one) for one in page.items], "CommonPrefixes": query.common(page.prefixes),
    }  # fmt: skip
    return S3Answer(body=document("ListMultipartUploadsResult", body))


def _current(call: S3Call, query: ListQuery, after: bytes) -> Page[Version, int]:
    bucket_id, prefix = call.bucket.bucket_id, query.prefix.encode()
    with call.services.shared.database.read() as connection:
        return roll_up(
            lambda place, count: object_lists.list_current(connection, bucket_id, prefix, place.key, count),
            lambda one: Place(one.key.encode()),
            query.prefix, query.delimiter, query.limit, Place(after),
        )  # fmt: skip


def _contents(call: S3Call, query: ListQuery, found: Sequence[Version], *, owned: bool) -> list[Content]:
    etags = call.services.encryption.open_etags(call.bucket.region, found)
    return [
        {"Key": query.shown(one.key)}
        | query.object_members(one, etag)
        | {"Owner": owner(one.account) if owned else None}
        for one, etag in zip(found, etags, strict=True)
    ]


def _versions(
    call: S3Call, query: ListQuery, found: Sequence[Version], newest: int | None
) -> list[tuple[str, Content]]:
    """Version and DeleteMarker elements; `newest` is the number of the first key's newest version."""
    living = [one for one in found if not one.is_marker]
    etags = dict(
        zip(
            [one.number for one in living],
            call.services.encryption.open_etags(call.bucket.region, living),
            strict=True,
        )
    )
    shown: list[tuple[str, Content]] = []
    key = found[0].key if found else ""
    for one in found:
        is_latest = one.key != key or one.number == newest
        key = one.key
        members: dict[str, Content] = {
            "Key": query.shown(one.key), "VersionId": one.version_id, "IsLatest": is_latest,
            "Owner": owner(one.account),
        }  # fmt: skip
        if one.is_marker:
            shown.append(("DeleteMarker", members | {"LastModified": whole_seconds(one.modified_at)}))
        else:
            shown.append(("Version", members | query.object_members(one, etags[one.number])))
    return shown


def _upload(query: ListQuery, upload: Upload) -> Content:
    members: dict[str, Content] = {
        "Key": query.shown(upload.key), "UploadId": upload.upload_id,
        "Initiator": {"ID": upload.initiator, "DisplayName": upload.initiator}, "Owner": owner(upload.account),
        "StorageClass": upload.storage_class, "Initiated": whole_seconds(upload.started_at),
    }  # fmt: skip
    return members | checksum_members(upload.checksum)


def _version_place(
    call: S3Call, connection: Connection, query: ListQuery, key: str, version_marker: str | None
) -> Place[int]:
    if version_marker is None:
        return Place(after_marker(key, query.prefix, query.delimiter))
    if not key:
        raise InvalidArgument(
            "A version-id marker cannot be specified without a key marker.", ArgumentName="version-id-marker",
            ArgumentValue=version_marker,
        )  # fmt: skip
    version = objects.version(connection, call.bucket.bucket_id, key, version_marker)
    # Markers of ours have the number behind the id, for versions that are deleted from one page to the next.
    number = str(version.number) if version else version_marker.rpartition(".")[2]
    if not number.isdecimal() or len(number) > 19 or int(number) > _LARGEST_NUMBER:
        raise InvalidArgument(
            "Invalid version id specified", ArgumentName="version-id-marker", ArgumentValue=version_marker
        )
    return Place(after_marker(key, query.prefix, query.delimiter), int(number))


def _token(place: bytes) -> str:
    return urlsafe_b64encode(_TOKEN + place).decode()


def _opened(token: str) -> bytes:
    try:
        place = urlsafe_b64decode(token)
    except (binascii.Error, ValueError):
        place = b""
    if not place.startswith(_TOKEN) or urlsafe_b64encode(place).decode() != token:
        raise InvalidArgument(
            "The continuation token provided is incorrect",
            ArgumentName="continuation-token",
            ArgumentValue=token,
        )
    return place[len(_TOKEN) :]


OPERATIONS: tuple[S3Operation, ...] = (
    S3Operation("ListObjects", list_objects, "GET", Level.BUCKET, "s3:ListBucket", is_data=True),
    S3Operation(
        "ListObjectsV2", list_objects_v2, "GET", Level.BUCKET, "s3:ListBucket", queries=("list-type=2",), is_data=True
    ),
    S3Operation(
        "ListObjectVersions", list_object_versions, "GET", Level.BUCKET, "s3:ListBucketVersions", queries=("versions",),
        is_data=True,
    ),
    S3Operation(
        "ListMultipartUploads", list_multipart_uploads, "GET", Level.BUCKET, "s3:ListBucketMultipartUploads",
        queries=("uploads",), is_data=True,
    ),
)  # fmt: skip
