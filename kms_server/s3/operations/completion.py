"""CompleteMultipartUpload: from parts to an object, without touching their bytes."""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from hashlib import md5
from itertools import pairwise
from typing import NamedTuple
from xml.etree.ElementTree import Element

from kms_server.s3 import reading, uploading
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.encryption import headers as sse
from kms_server.s3.encryption import manifest
from kms_server.s3.encryption.manifest import Checksums, PartDetails
from kms_server.s3.encryption.types import MD5_ETAGS, SSE_C, Envelope, ObjectKeys
from kms_server.s3.errors import (
    BadDigest,
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
    MalformedXML,
    NoSuchUpload,
)
from kms_server.s3.reading import Found
from kms_server.s3.uploading import MOST_PARTS, OpenUpload
from kms_server.s3.wire import checksums, xml_reader, xml_writer
from kms_server.s3.wire.checksums import BY_HEADER, CHECKSUMS, COMPOSITE
from kms_server.s3.writing import (
    Sealed,
    check_conditions,
    random_etag,
    sealed_version,
    version_header,
)
from kms_server.storage import objects, uploads
from kms_server.storage.objects import Part, Version

_MOST_BODY = 4_194_304


class _Named(NamedTuple):
    """A part as the request names it; `checksums` by algorithm, in base64."""

    number: int
    etag: str
    checksums: dict[str, str]

    @classmethod
    def of(cls, element: Element) -> "_Named":
        number, etag = (element.findtext("PartNumber") or "").strip(), element.findtext("ETag") or ""
        if not number.isdecimal() or len(number) > 6 or not 1 <= int(number) <= MOST_PARTS:
            raise MalformedXML
        told = {
            child.tag.removeprefix("Checksum"): child.text or ""
            for child in element
            if child.tag.startswith("Checksum")
        }
        return cls(int(number), etag.strip().strip('"'), told)


class _Chosen(NamedTuple):
    """A part that goes into the object; its details are None where no key is here that opens them."""

    part: Part
    details: PartDetails | None


class _Made(NamedTuple):
    """The object, and what is told of it."""

    version: Version
    envelope: Envelope
    etag: str
    checksums: Checksums


def complete_multipart_upload(call: S3Call) -> S3Answer:
    """Make an object of the named parts (S3 CompleteMultipartUpload)."""
    named = _named(call)
    try:
        made = _made(call, named)
    except NoSuchUpload:
        # Who did not get the first answer asks again, and is told the same.
        made = _made_before(call, named)
    told: dict[str, xml_writer.Content] = {
        "Location": f"{'https' if call.is_secure else 'http'}://{call.header('host')}/{call.bucket_name}/{call.key}",
        "Bucket": call.bucket_name, "Key": call.key, "ETag": f'"{made.etag}"',
    }  # fmt: skip
    return S3Answer(
        headers=sse.answer(made.envelope, None) | version_header(made.version),
        body=xml_writer.document("CompleteMultipartUploadResult", told | made.checksums.elements()),
    )


def _made(call: S3Call, named: Sequence[_Named]) -> _Made:
    opened = uploading.find(call)
    keys = _keys(call, opened)
    with call.services.shared.database.read() as connection:
        found = uploads.parts(connection, opened.upload.upload_id, 0, MOST_PARTS)
    stored = {part.number: part for part in found}
    chosen = [_chosen(opened.upload.upload_id, keys, one, stored.get(one.number)) for one in named]
    _check_sizes(call, [one.part for one in chosen])
    sealed = _sealed(call, opened, keys, named, chosen)
    version = sealed_version(call, opened.new_object(call), sealed, part_count=len(chosen))
    call.services.encryption.prepare_etags(call.bucket.region)
    with call.indexing() as connection:
        check_conditions(call, objects.lock(connection, call.bucket.bucket_id, call.key))
        version = uploads.complete(connection, opened.upload, version, [one.part for one in chosen])
    return _Made(version, opened.envelope, sealed.etag, sealed.checksums)


def _made_before(call: S3Call, named: Sequence[_Named]) -> _Made:
    """What an earlier request has made of the same parts.

    Raises:
        NoSuchUpload: none has, or it is gone.
        InvalidPart: of others.
    """
    with call.services.shared.database.read() as connection:
        version = uploads.completed(connection, call.bucket.bucket_id, call.key, call.query["uploadId"])
        found = None if version is None else Found.of(connection, call.bucket, version)
    if found is None or [part.number for part in found.parts] != [one.number for one in named]:
        raise NoSuchUpload(UploadId=call.query["uploadId"])
    customer, encryption = sse.customer_key(call), call.services.encryption
    is_here = customer is not None or not sse.needs_customer(found.envelope)
    keys = encryption.open(call.call, found.envelope, found.target, customer) if is_here else None
    for one, part in zip(named, found.parts, strict=True):
        _chosen(call.query["uploadId"], keys, one, part)
    checksums = Checksums.none() if keys is None else reading.opened(call, found, customer).manifest.checksums
    return _Made(found.version, found.envelope, reading.etag_of(call, found.bucket, found.version), checksums)


def _named(call: S3Call) -> list[_Named]:
    document = xml_reader.parse(call.payload.whole(_MOST_BODY), "CompleteMultipartUpload")
    named = [_Named.of(element) for element in document.findall("Part")]
    if not named:
        raise MalformedXML
    if any(one.number >= following.number for one, following in pairwise(named)):
        raise InvalidPartOrder
    return named


def _keys(call: S3Call, opened: OpenUpload) -> ObjectKeys | None:
    """The object's keys; None where they are the customer's, and no checksum needs them (S3 CompleteMultipartUpload)."""
    customer = sse.customer_key(call)
    if customer is None and opened.upload.kind == SSE_C and not opened.upload.checksum:
        return None
    return opened.keys(call, customer)


def _chosen(upload_id: str, keys: ObjectKeys | None, named: _Named, part: Part | None) -> _Chosen:
    refusal = InvalidPart(UploadId=upload_id, PartNumber=str(named.number), ETag=named.etag)
    if part is None:
        raise refusal
    details = None if keys is None else manifest.open_part(keys, upload_id, part)
    known = {} if details is None else details.checksums
    wrong = any(
        name in known and b64encode(known[name]).decode() != told for name, told in named.checksums.items()
    )
    if wrong or named.etag != (part.etag if details is None else details.etag):
        raise refusal
    return _Chosen(part, details)


def _check_sizes(call: S3Call, parts: Sequence[Part]) -> None:
    least = call.services.shared.limits.min_part_bytes
    for part in parts[:-1]:
        if part.size < least:
            raise EntityTooSmall(
                ProposedSize=str(part.size), MinSizeAllowed=str(least), PartNumber=str(part.number),
                ETag=part.etag or "",
            )  # fmt: skip
    told, size = call.header("x-amz-mp-object-size"), sum(part.size for part in parts)
    if told is not None and told != str(size):
        raise InvalidRequest(
            f"The provided 'x-amz-mp-object-size' header value {told} does not match what was computed: {size}"
        )


def _sealed(
    call: S3Call,
    opened: OpenUpload,
    keys: ObjectKeys | None,
    named: Sequence[_Named],
    chosen: Sequence[_Chosen],
) -> Sealed:
    whole = Checksums.none() if keys is None else _checksum(opened, named, chosen)
    _check_declared(call, whole)
    return Sealed(keys, opened.envelope, [one.part for one in chosen], _etag(opened, chosen), whole)


def _checksum(opened: OpenUpload, named: Sequence[_Named], chosen: Sequence[_Chosen]) -> Checksums:
    algorithm = CHECKSUMS[opened.algorithm]
    digests = [one.details.checksums[algorithm.name] for one in chosen if one.details]
    parts = tuple(b64encode(digest).decode() for digest in digests)
    if opened.checksum_type != COMPOSITE:
        sizes = [one.part.size for one in chosen]
        value = checksums.full_object(algorithm, zip(digests, sizes, strict=True))
        return Checksums(algorithm.name, opened.checksum_type, b64encode(value).decode(), parts)
    missing = next((one.number for one in named if algorithm.name not in one.checksums), None)
    if missing is not None:
        raise InvalidRequest(
            f"The upload was created using a {algorithm.name.lower()} checksum. The complete request must include the "
            f"checksum for each part. It was missing for part {missing} in the request."
        )
    return Checksums(algorithm.name, COMPOSITE, checksums.composite(algorithm, digests), parts)


def _check_declared(call: S3Call, whole: Checksums) -> None:
    """Check the checksum of the object that the request may name."""
    for header, algorithm in BY_HEADER.items():
        told = call.header(header)
        if told is None or not whole.algorithm:
            continue
        if algorithm.name != whole.algorithm or not hmac.compare_digest(told.encode(), whole.value.encode()):
            raise BadDigest(f"The {algorithm.name} you specified did not match the calculated checksum.")


def _etag(opened: OpenUpload, chosen: Sequence[_Chosen]) -> str:
    if opened.upload.kind not in MD5_ETAGS:
        return f"{random_etag()}-{len(chosen)}"
    etags = b"".join(bytes.fromhex(one.details.etag) for one in chosen if one.details is not None)
    return f"{md5(etags, usedforsecurity=False).hexdigest()}-{len(chosen)}"


OPERATIONS = (
    S3Operation(
        "CompleteMultipartUpload", complete_multipart_upload, "POST", Level.OBJECT, "s3:PutObject", queries=("uploadId",),
        is_data=True, writes=True, checksums=False,
    ),
)  # fmt: skip
