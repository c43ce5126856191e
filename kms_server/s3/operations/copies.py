"""CopyObject and UploadPartCopy: bytes that stand in the store already, under another key."""

from base64 import b64encode
from collections.abc import Mapping

from kms_server.clock import iso_millis
from kms_server.s3 import copying, metadata, ranges, uploading
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.copying import CopiedBytes
from kms_server.s3.encryption import headers as sse
from kms_server.s3.encryption.types import Chosen
from kms_server.s3.errors import InvalidArgument, InvalidRequest
from kms_server.s3.ranges import Span
from kms_server.s3.reading import Found
from kms_server.s3.uploading import DEFAULT_CHECKSUM
from kms_server.s3.wire import checksums, xml_writer
from kms_server.s3.writing import NewObject, put
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
        raise InvalidRequest(f"The specified copy source is larger than the maximum allowable size for a copy source: {most}")
    chosen = sse.chosen(call, values)
    replaces = _directive(values, "x-amz-metadata-directive")
    _check_itself(call, found, replaces=replaces)
    described = dict(values) if replaces else found.headers | _of_copy(values)
    if not _directive(values, "x-amz-tagging-directive"):
        described.pop("x-amz-tagging", None)
    checksum = _algorithm(values, source)
    new = NewObject.of(call, described, chosen, checksum)
    if not _directive(values, "x-amz-tagging-directive"):
        new = new.tagged(source.tags)
    opened = copying.opened(call, found)
    written = put(call, new, CopiedBytes(call, opened, Span(0, source.size)))
    told = written.headers() | _source_header(source)
    for name in ("ETag", checksums.CHECKSUMS[checksum].header, "x-amz-checksum-type"):
        told.pop(name, None)
    return S3Answer(
        headers=told,
        body=xml_writer.document("CopyObjectResult", {
            "LastModified": iso_millis(written.version.modified_at), "ETag": f'"{written.etag}"',
        } | written.checksums.elements()),
    )  # fmt: skip


def _of_copy(values: Mapping[str, str]) -> dict[str, str]:
    """What a copy never takes from its source."""
    return {name: values[name] for name in ("x-amz-storage-class", "x-amz-website-redirect-location") if name in values}


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
    customer = sse.customer_key(call)
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
        "CopyObject", copy_object, "PUT", Level.OBJECT, "s3:PutObject", header=copying.HEADER, encrypts=True,
        customer_key=True, is_data=True, writes=True,
    ),
    S3Operation(
        "UploadPartCopy", upload_part_copy, "PUT", Level.OBJECT, "s3:PutObject", queries=("partNumber", "uploadId"),
        header=copying.HEADER, customer_key=True, is_data=True, writes=True,
    ),
)  # fmt: skip
