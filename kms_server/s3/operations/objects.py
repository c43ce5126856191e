"""PutObject, GetObject, HeadObject."""

from collections.abc import Mapping

from kms_server.clock import http_date
from kms_server.s3 import conditions, judged, metadata, ranges, reading, versions
from kms_server.s3.authorization import may
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.encryption import headers as sse
from kms_server.s3.errors import EntityTooLarge, InvalidPartNumber, InvalidRequest
from kms_server.s3.ranges import Span
from kms_server.s3.reading import Found, Opened
from kms_server.s3.uploading import DEFAULT_CHECKSUM, part_number
from kms_server.s3.wire.header_text import as_answered
from kms_server.s3.writing import NewObject, check_conditions, put, version_header
from kms_server.storage import objects

# Query parameters by which a signed request chooses headers of the answer (S3 GetObject).
_OVERRIDES = {
    f"response-{name}": name
    for name in (
        "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires",
    )
}  # fmt: skip


def put_object(call: S3Call) -> S3Answer:
    """Store an object (S3 PutObject)."""
    values = call.request.headers
    encryption = sse.chosen(call, values)
    new = NewObject.of(call, values)
    length, most = call.payload.length, call.services.shared.limits.max_put_bytes
    if length is not None and length > most:
        raise EntityTooLarge(ProposedSize=str(length), MaxSizeAllowed=str(most))
    if conditions.is_conditional(values):
        with call.services.shared.database.read() as connection:
            check_conditions(call, objects.current(connection, new.bucket.bucket_id, new.key))
    written = put(call, new, encryption, call.payload, call.payload.declared() or DEFAULT_CHECKSUM)
    return S3Answer(headers=written.headers(encryption.customer))


def get_object(call: S3Call) -> S3Answer:
    """The bytes of an object, or a span of them (S3 GetObject)."""
    found, etag = _found(call)
    versions.require_readable(found.version, call.call.time)
    opened = reading.opened(call, found, sse.customer_key(call))
    span, told = _span(call, opened)
    shown = _headers(call, found, etag) | told | _overrides(call)
    if span is None:
        span = Span(0, found.version.size)
        return S3Answer(
            headers=shown | _checksum(call, opened), length=span.length, parts=opened.read(call, span)
        )
    status, told = _partial(span, found.version.size)
    return S3Answer(status, headers=shown | told, length=span.length, parts=opened.read(call, span))


def head_object(call: S3Call) -> S3Answer:
    """What GetObject would tell of an object, without its bytes (S3 HeadObject).

    The KMS is asked only for a checksum: everything else is known without a key.
    """
    found, etag = _found(call)
    customer = sse.customer_key(call)
    call.services.encryption.check(found.envelope, customer)
    shown = _headers(call, found, etag) | _overrides(call)
    size = found.version.size
    if "partNumber" in call.query or call.header("x-amz-checksum-mode") == "ENABLED":
        opened = reading.opened(call, found, customer)
        span, told = _span(call, opened)
        shown |= told
        if span is None:
            return S3Answer(headers=shown | _checksum(call, opened), length=size, parts=())
    else:
        span = ranges.wanted(call.header("range"), size)
    if span is None:
        return S3Answer(headers=shown, length=size, parts=())
    status, told = _partial(span, size)
    return S3Answer(status, headers=shown | told, length=span.length, parts=())


def _found(call: S3Call) -> tuple[Found, str]:
    """The version that is asked for, and its ETag."""
    with call.services.shared.database.read() as connection:
        version = versions.find(call, connection, call.bucket, call.key, call.query.get("versionId"))
        found = Found.of(connection, call.bucket, version)
    etag = reading.etag_of(call, found.bucket, version)
    conditions.check_read(call.request.headers, etag, version.modified_at)
    return found, etag


def _span(call: S3Call, opened: Opened) -> tuple[Span | None, dict[str, str]]:
    """The span that a range or a part number asks for; None: all of the object."""
    size, header = opened.found.version.size, call.header("range")
    if "partNumber" not in call.query:
        return ranges.wanted(header, size), {}
    if header is not None:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
    number, count = part_number(call.query["partNumber"]), opened.found.version.part_count
    if number > (count or 1):
        raise InvalidPartNumber(ActualPartCount=str(count or 1), PartNumberRequested=str(number))
    told = {} if count is None else {"x-amz-mp-parts-count": str(count)}
    sizes = [part.size for part in opened.manifest.parts]
    first = sum(sizes[: number - 1])
    return Span(first, first + sizes[number - 1]), told


def _partial(span: Span, size: int) -> tuple[int, dict[str, str]]:
    """The status of an answer with a span, and the header that tells which; an empty part has no range."""
    return (206, {"Content-Range": span.header(size)}) if span.length else (200, {})


def _headers(call: S3Call, found: Found, etag: str) -> dict[str, str]:
    """What both GET and HEAD tell, known without any key."""
    version = found.version
    told = {
        "Last-Modified": http_date(version.modified_at),
        "ETag": f'"{etag}"',
        "Accept-Ranges": "bytes",
    }  # fmt: skip
    told |= {_titled(name): value for name, value in found.headers.items()}
    told |= version_header(version) | sse.answer(found.envelope, sse.customer_key(call))
    if version.storage_class != metadata.STANDARD:
        told["x-amz-storage-class"] = version.storage_class
    restore = versions.restore_header(version, call.call.time)
    if restore is not None:
        told["x-amz-restore"] = restore
    tags = metadata.read_tags(version.tags)
    if tags and _may_read_tags(call):
        told["x-amz-tagging-count"] = str(len(tags))
    return told


def _may_read_tags(call: S3Call) -> bool:
    action = "s3:GetObjectVersionTagging" if "versionId" in call.query else "s3:GetObjectTagging"
    return may(call, action, f"{call.bucket.arn}/{call.key}", given=judged.given(call))


def _titled(name: str) -> str:
    return name if name.startswith("x-amz-") else name.title()


def _checksum(call: S3Call, opened: Opened) -> dict[str, str]:
    if call.header("x-amz-checksum-mode") != "ENABLED":
        return {}
    return opened.manifest.checksums.headers()


def _overrides(call: S3Call) -> dict[str, str]:
    wanted: Mapping[str, str] = {
        _OVERRIDES[name]: value for name, value in call.query.items() if name in _OVERRIDES
    }
    if wanted and call.is_anonymous:
        raise InvalidRequest("Request specific response headers cannot be used for anonymous GET requests.")
    return {name.title(): as_answered(f"response-{name}", value) for name, value in wanted.items()}


OPERATIONS = (
    S3Operation(
        "PutObject", put_object, "PUT", Level.OBJECT, "s3:PutObject", encrypts=True, is_data=True,
        writes=True,
    ),
    S3Operation(
        "GetObject", get_object, "GET", Level.OBJECT, "s3:GetObject", version_action="s3:GetObjectVersion", is_data=True,
    ),
    S3Operation(
        "HeadObject", head_object, "HEAD", Level.OBJECT, "s3:GetObject", version_action="s3:GetObjectVersion", is_data=True,
    ),
)  # fmt: skip
