"""CopyObject and UploadPartCopy: bytes that stand in the store already, under another key."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace

from kms_server.clock import iso_millis
from kms_server.s3 import copying, ranges, uploading
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.copying import CopiedBytes
from kms_server.s3.encryption import headers as sse
from kms_server.s3.errors import InvalidArgument, InvalidRequest
from kms_server.s3.ranges import Span
from kms_server.s3.reading import Found
from kms_server.s3.uploading import DEFAULT_CHECKSUM
from kms_server.s3.wire import checksums, xml_writer
from kms_server.s3.writing import NewObject, put, version_header
from kms_server.storage.objects import NULL, Version

_TO_ITSELF = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)


def copy_object(call: S3Call) -> S3Answer:
    """Copy an object; its bytes are opened and sealed anew (S3 CopyObject)."""
    values = call.request.headers
    found = copying.find(call)
    source = found.version
    most = call.services.shared.limits.max_put_bytes
    if source.size > most:
        raise InvalidRequest(
            f"The specified copy source is larger than the maximum allowable size for a copy source: {most}"
        )
    encryption = sse.chosen(call, values)
    replaces = _directive(values, "x-amz-metadata-directive")
    _check_itself(call, found, replaces=replaces)
    new = NewObject.of(call, values)
    if not replaces:
        new = replace(new, headers=_copied_headers(found, values))
    if not _directive(values, "x-amz-tagging-directive"):
        copying.authorize_tags(call, found)
        new = replace(new, tags=source.tags)
    opened = copying.opened(call, found)
    checksum = _algorithm(values, source)
    written = put(call, new, encryption, CopiedBytes(call, opened, Span(0, source.size)), checksum)
    told = sse.answer(written.sealed.envelope, encryption.customer, with_context=True) | version_header(
        written.version
    )
    shown: dict[str, xml_writer.Content] = {
        "LastModified": iso_millis(written.version.modified_at), "ETag": f'"{written.sealed.etag}"',
    }  # fmt: skip
    shown |= written.sealed.checksums.elements()
    return S3Answer(
        headers=told | _source_header(source), body=xml_writer.document("CopyObjectResult", shown)
    )


def _copied_headers(found: Found, values: Mapping[str, str]) -> str:
    """The headers of the source, but for the one that a copy never takes over."""
    redirect = "x-amz-website-redirect-location"
    kept = {name: value for name, value in found.headers.items() if name != redirect}
    return json.dumps(kept | ({redirect: values[redirect]} if redirect in values else {}))


def _directive(values: Mapping[str, str], name: str) -> bool:
    """Whether something is replaced rather than copied.

    Raises:
        InvalidArgument
    """
    told = values.get(name, "COPY")
    if told not in {"COPY", "REPLACE"}:
        what = "metadata" if "metadata" in name else "tagging"
        raise InvalidArgument(f"Unknown {what} directive.", ArgumentName=name, ArgumentValue=told)
    return told == "REPLACE"


def _check_itself(call: S3Call, found: Found, *, replaces: bool) -> None:
    """Refuse a copy of an object to itself that changes nothing."""
    same = found.bucket.bucket_id == call.bucket.bucket_id and found.version.key == call.key
    values = call.request.headers
    changes = (
        replaces or "versionId=" in values[copying.HEADER] or "x-amz-website-redirect-location" in values
        or values.get("x-amz-storage-class", found.version.storage_class) != found.version.storage_class
        or sse.is_asked_for(values) or call.bucket.encryption is not None
    )  # fmt: skip
    if same and not changes:
        raise InvalidRequest(_TO_ITSELF)


def _algorithm(values: Mapping[str, str], source: Version) -> str:
    asked = values.get("x-amz-checksum-algorithm")
    return checksums.named(asked or (source.checksum or DEFAULT_CHECKSUM).partition("/")[0]).name


def upload_part_copy(call: S3Call) -> S3Answer:
    """Store a part of an upload that is a span of another object (S3 UploadPartCopy)."""
    uploading.part_number(call.query["partNumber"])
    opened = uploading.find(call)
    customer = sse.part_key(call, opened.envelope)
    found = copying.find(call)
    wanted = call.header("x-amz-copy-source-range")
    size = found.version.size
    span = Span(0, size) if wanted is None else ranges.of_copy(wanted, size)
    keys = opened.keys(call, customer)
    source = CopiedBytes(call, copying.opened(call, found), span)
    stored = uploading.store_part(call, opened, keys, source, None)
    shown: dict[str, xml_writer.Content] = {}
    if opened.upload.checksum:
        shown = {f"Checksum{opened.algorithm}": b64encode(stored.checksums[opened.algorithm]).decode()}
    return S3Answer(
        headers=_source_header(found.version) | sse.answer(opened.envelope, customer),
        body=xml_writer.document("CopyPartResult", {
            "LastModified": iso_millis(stored.part.modified_at), "ETag": f'"{stored.etag}"',
        } | shown),
    )  # fmt: skip


def _source_header(version: Version) -> dict[str, str]:
    return {} if version.version_id == NULL else {"x-amz-copy-source-version-id": version.version_id}


OPERATIONS = (
    S3Operation(
        "CopyObject", copy_object, "PUT", Level.OBJECT, "s3:PutObject", header=copying.HEADER, encrypts=True, is_data=True, writes=True,
    ),
    S3Operation(
        "UploadPartCopy", upload_part_copy, "PUT", Level.OBJECT, "s3:PutObject", queries=("partNumber", "uploadId"),
        header=copying.HEADER, is_data=True, writes=True,
    ),
)  # fmt: skip
