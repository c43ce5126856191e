"""CompleteMultipartUpload: from parts to an object, without touching their bytes."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import md5
from itertools import pairwise
from typing import NamedTuple
from xml.etree.ElementTree import Element

from kms_server.s3 import content, uploading
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.encryption import headers as sse
from kms_server.s3.encryption import manifest
from kms_server.s3.encryption.manifest import PartDetails
from kms_server.s3.encryption.types import MD5_ETAGS, ObjectKeys
from kms_server.s3.errors import BadDigest, EntityTooSmall, InvalidPart, InvalidPartOrder, InvalidRequest, MalformedXML
from kms_server.s3.uploading import MOST_PARTS, OpenUpload
from kms_server.s3.wire import checksums, xml_reader, xml_writer
from kms_server.s3.wire.checksums import BY_HEADER, CHECKSUMS, COMPOSITE
from kms_server.s3.writing import Checksums, check_conditions, random_etag, sealed_version, version_header
from kms_server.storage import objects, uploads
from kms_server.storage.objects import Part

_MOST_BODY = 4_194_304


class _Named(NamedTuple):
    """A part as the request names it; `checksums` by the algorithm, in base64."""

    number: int
    etag: str
    checksums: dict[str, str]

    @classmethod
    def of(cls, element: Element) -> "_Named":
        number, etag = element.findtext("PartNumber") or "", element.findtext("ETag") or ""
        if not number.strip().isdecimal() or not 1 <= int(number) <= MOST_PARTS:
            raise MalformedXML
        told = {child.tag.removeprefix("Checksum"): child.text or "" for child in element if child.tag.startswith("Checksum")}
        return cls(int(number), etag.strip().strip('"'), told)


class _Chosen(NamedTuple):
    """A part of the upload that goes into the object; nothing is known of its details where no key opens them."""

    part: Part
    details: PartDetails | None


def complete_multipart_upload(call: S3Call) -> S3Answer:
    """Make an object of the named parts (S3 CompleteMultipartUpload)."""
    named = _named(call)
    opened = uploading.find(call)
    keys = _keys(call, opened)
    with call.services.shared.database.read() as connection:
        stored = {part.number: part for part in uploads.parts(connection, opened.upload.upload_id, 0, MOST_PARTS)}
    chosen = [_chosen(opened, keys, one, stored.get(one.number)) for one in named]
    parts = [one.part for one in chosen]
    _check_sizes(call, parts)
    checksum = _checksum(call, opened, named, chosen)
    etag = _etag(opened, chosen)
    version = sealed_version(
        call, opened.new_object(call), keys, opened.envelope, parts, etag, checksum, part_count=len(parts)
    )
    with call.indexing() as connection:
        uploading.lock(call, connection)
        check_conditions(call, objects.lock(connection, call.bucket.bucket_id, call.key))
        version = uploads.complete(connection, opened.upload, version, parts)
    content.settle(call.services.blobs, parts)
    told: dict[str, xml_writer.Content] = {
        "Location": f"http://{call.header('host')}/{call.bucket_name}/{call.key}", "Bucket": call.bucket_name,
        "Key": call.key, "ETag": f'"{etag}"',
    }  # fmt: skip
    return S3Answer(
        headers=sse.answer(opened.envelope, None) | version_header(version),
        body=xml_writer.document("CompleteMultipartUploadResult", told | checksum.elements()),
    )


def _named(call: S3Call) -> list[_Named]:
    document = xml_reader.parse(call.payload.whole(_MOST_BODY), "CompleteMultipartUpload")
    named = [_Named.of(element) for element in document.findall("Part")]
    if not named:
        raise MalformedXML
    if any(one.number >= following.number for one, following in pairwise(named)):
        raise InvalidPartOrder
    return named


def _keys(call: S3Call, opened: OpenUpload) -> ObjectKeys | None:
    """The object's keys; None where they are the customer's and need not be there (facts of SSE-C)."""
    customer = sse.optional_key(call)
    if sse.needs_customer(opened.envelope) and customer is None:
        if opened.upload.checksum is None:
            return None
        raise InvalidRequest(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to "
            "retrieve the object."
        )
    return opened.keys(call, customer)


def _chosen(opened: OpenUpload, keys: ObjectKeys | None, named: _Named, part: Part | None) -> _Chosen:
    if part is None:
        raise InvalidPart(UploadId=opened.upload.upload_id, PartNumber=str(named.number), ETag=named.etag)
    details = None if keys is None else manifest.open_part(keys, opened.upload.upload_id, part)
    known = {} if details is None else details.checksums
    etag = part.etag if details is None else details.etag
    wrong = any(
        name in known and b64encode(known[name]).decode() != told for name, told in named.checksums.items()
    )
    if named.etag != etag or wrong:
        raise InvalidPart(UploadId=opened.upload.upload_id, PartNumber=str(named.number), ETag=named.etag)
    return _Chosen(part, details)


def _check_sizes(call: S3Call, parts: Sequence[Part]) -> None:
    least = call.services.shared.limits.min_part_bytes
    for part in parts[:-1]:
        if part.size < least:
            raise EntityTooSmall(
                ProposedSize=str(part.size), MinSizeAllowed=str(least), PartNumber=str(part.number), ETag=part.etag or ""
            )
    told, size = call.header("x-amz-mp-object-size"), sum(part.size for part in parts)
    if told is not None and told != str(size):
        raise InvalidRequest(
            f"The provided 'x-amz-mp-object-size' header value {told} does not match what was computed: {size}"
        )


def _checksum(
    call: S3Call, opened: OpenUpload, named: Sequence[_Named], chosen: Sequence[_Chosen]
) -> Checksums:
    algorithm, kind = CHECKSUMS[opened.algorithm], opened.checksum_type
    if opened.upload.checksum and kind == COMPOSITE:
        missing = next((one.number for one in named if algorithm.name not in one.checksums), None)
        if missing is not None:
            raise InvalidRequest(
                f"The upload was created using a {algorithm.name.lower()} checksum. The complete request must include the "
                f"checksum for each part. It was missing for part {missing} in the request."
            )
    digests = [one.details.checksums[algorithm.name] for one in chosen if one.details is not None]
    if not digests:
        return Checksums.none()
    if kind == COMPOSITE:
        value = checksums.composite(algorithm, digests)
    else:
        sizes = [one.part.size for one in chosen]
        value = b64encode(checksums.full_object(algorithm, zip(digests, sizes, strict=True))).decode()
    told = next((call.header(name) for name in BY_HEADER if call.header(name) is not None), None)
    if told is not None and call.header(algorithm.header) != value:
        raise BadDigest(f"The {algorithm.name} you specified did not match the calculated checksum.")
    return Checksums(algorithm.name, kind, value, tuple(b64encode(one).decode() for one in digests))


def _etag(opened: OpenUpload, chosen: Sequence[_Chosen]) -> str:
    if opened.upload.kind not in MD5_ETAGS:
        return f"{random_etag()}-{len(chosen)}"
    whole = b"".join(bytes.fromhex(one.details.etag) for one in chosen if one.details is not None)
    return f"{md5(whole, usedforsecurity=False).hexdigest()}-{len(chosen)}"


OPERATIONS = (
    S3Operation(
        "CompleteMultipartUpload", complete_multipart_upload, "POST", Level.OBJECT, "s3:PutObject", queries=("uploadId",),
        customer_key=True, is_data=True, writes=True,
    ),
)  # fmt: skip
