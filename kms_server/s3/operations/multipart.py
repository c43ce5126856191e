"""CreateMultipartUpload, UploadPart, AbortMultipartUpload, ListParts."""

from base64 import b64encode

from kms_server.clock import iso_millis
from kms_server.s3 import uploading
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption import headers as sse
from kms_server.s3.encryption import manifest
from kms_server.s3.encryption.types import ObjectKeys
from kms_server.s3.errors import InvalidArgument, InvalidRequest
from kms_server.s3.operations.buckets import owner_id
from kms_server.s3.uploading import DEFAULT_CHECKSUM, OpenUpload
from kms_server.s3.wire import checksums, xml_writer
from kms_server.s3.writing import NewObject
from kms_server.storage import uploads
from kms_server.storage.objects import Part
from kms_server.storage.uploads import Upload

_MOST_LISTED = 1_000


def create_multipart_upload(call: S3Call) -> S3Answer:
    """Begin a multipart upload; its data key is made now (S3 CreateMultipartUpload)."""
    values = call.request.headers
    asked = values.get("x-amz-checksum-algorithm")
    checksum = checksums.named(asked or DEFAULT_CHECKSUM)
    kind = checksums.type_of(checksum, values.get("x-amz-checksum-type"))
    encryption = sse.chosen(call, values)
    new = NewObject.of(call, values)
    _, envelope = call.services.encryption.create(call.call, encryption, new.target)
    upload = Upload(
        uploads.new_id(new.object_id), call.bucket.bucket_id, call.key, new.object_id, call.bucket.account,
        call.call.principal.arn, call.call.time, new.storage_class, envelope.kind, envelope.key_arn, envelope.material,
        envelopes.encode(envelope), new.headers, new.tags, f"{checksum.name}/{kind}" if asked else None,
    )  # fmt: skip
    with call.indexing() as connection:
        uploads.add(connection, upload)
    told = {"x-amz-checksum-algorithm": checksum.name, "x-amz-checksum-type": kind} if asked else {}
    return S3Answer(
        headers=told | sse.answer(envelope, encryption.customer, with_context=True),
        body=xml_writer.document("InitiateMultipartUploadResult", {
            "Bucket": call.bucket_name, "Key": call.key, "UploadId": upload.upload_id,
        }),
    )  # fmt: skip


def upload_part(call: S3Call) -> S3Answer:
    """Store a part of an upload (S3 UploadPart)."""
    uploading.part_number(call.query["partNumber"])
    opened = uploading.find(call)
    customer = sse.part_key(call, opened.envelope)
    declared = call.payload.declared()
    _check_algorithm(opened, declared)
    keys = opened.keys(call, customer)
    stored = uploading.store_part(call, opened, keys, call.payload, declared)
    told = {"ETag": f'"{stored.etag}"'} | sse.answer(opened.envelope, customer)
    shown = declared or (opened.algorithm if opened.upload.checksum else None)
    if shown:
        told[checksums.CHECKSUMS[shown].header] = b64encode(stored.checksums[shown]).decode()
    return S3Answer(headers=told)


def _check_algorithm(opened: OpenUpload, declared: str | None) -> None:
    if opened.upload.checksum and declared and declared != opened.algorithm:
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {opened.algorithm.lower()}, actual checksum Type: "
            f"{declared.lower()}"
        )


def abort_multipart_upload(call: S3Call) -> S3Answer:
    """Give an upload up (S3 AbortMultipartUpload)."""
    with call.indexing() as connection:
        uploads.abort(connection, uploading.lock(call, connection).upload)
    return S3Answer(204)


def list_parts(call: S3Call) -> S3Answer:
    """The parts that were uploaded so far (S3 ListParts)."""
    opened = uploading.find(call)
    upload = opened.upload
    limit = _number(call, "max-parts", _MOST_LISTED)
    after = _number(call, "part-number-marker", 0)
    with call.services.shared.database.read() as connection:
        found = uploads.parts(connection, upload.upload_id, after, limit + 1)
    page = found[:limit]
    keys = opened.keys_for_details(call, page)
    parts = [_listed(opened, part, keys) for part in page]
    algorithm, _, kind = (upload.checksum or "").partition("/")
    return S3Answer(
        body=xml_writer.document("ListPartsResult", {
            "Bucket": call.bucket_name, "Key": call.key, "UploadId": upload.upload_id, "PartNumberMarker": after,
            "NextPartNumberMarker": page[-1].number if page else 0, "MaxParts": limit,
            "IsTruncated": len(found) > limit, "Part": parts,
            "Initiator": {"ID": upload.initiator, "DisplayName": upload.initiator},
            "Owner": {"ID": owner_id(upload.account), "DisplayName": upload.account},
            "StorageClass": upload.storage_class, "ChecksumAlgorithm": algorithm or None, "ChecksumType": kind or None,
        })
    )  # fmt: skip


def _listed(opened: OpenUpload, part: Part, keys: ObjectKeys | None) -> dict[str, xml_writer.Content]:
    details = None if keys is None else manifest.open_part(keys, opened.upload.upload_id, part)
    told: dict[str, xml_writer.Content] = {
        "PartNumber": part.number, "LastModified": iso_millis(part.modified_at),
        "ETag": f'"{details.etag if details else part.etag}"', "Size": part.size,
    }  # fmt: skip
    if details and opened.upload.checksum:
        told[f"Checksum{opened.algorithm}"] = b64encode(details.checksums[opened.algorithm]).decode()
    return told


def _number(call: S3Call, name: str, default: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 10:
        raise InvalidArgument(
            f"Provided {name} not an integer or within integer range", ArgumentName=name, ArgumentValue=text
        )
    return min(int(text), _MOST_LISTED) if name.startswith("max") else int(text)


OPERATIONS = (
    S3Operation(
        "CreateMultipartUpload", create_multipart_upload, "POST", Level.OBJECT, "s3:PutObject", queries=("uploads",),
        encrypts=True, is_data=True, writes=True,
    ),
    S3Operation(
        "UploadPart", upload_part, "PUT", Level.OBJECT, "s3:PutObject", queries=("partNumber", "uploadId"), is_data=True, writes=True,
    ),
    S3Operation(
        "AbortMultipartUpload", abort_multipart_upload, "DELETE", Level.OBJECT, "s3:AbortMultipartUpload",
        queries=("uploadId",), is_data=True, writes=True,
    ),
    S3Operation(
        "ListParts", list_parts, "GET", Level.OBJECT, "s3:ListMultipartUploadParts", queries=("uploadId",), is_data=True,
    ),
)  # fmt: skip
