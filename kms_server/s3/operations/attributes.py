"""GetObjectAttributes."""

from kms_server.clock import http_date
from kms_server.s3 import judged, reading, versions
from kms_server.s3.authorization import authorize
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.encryption import headers as sse
from kms_server.s3.errors import InvalidArgument, InvalidRequest
from kms_server.s3.reading import Found, Opened
from kms_server.s3.wire import xml_writer
from kms_server.s3.wire.checksums import COMPOSITE
from kms_server.s3.wire.xml_writer import Content
from kms_server.s3.writing import version_header

_HEADER = "x-amz-object-attributes"
_KNOWN = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
_SEALED = frozenset({"Checksum", "ObjectParts"})
_MOST_PARTS = 1_000


def get_object_attributes(call: S3Call) -> S3Answer:
    """What is known of an object, as far as it is asked for (S3 GetObjectAttributes).

    The KMS is asked only for what is sealed: checksums and parts.
    """
    wanted = _wanted(call)
    action = "s3:GetObjectVersion" if "versionId" in call.query else "s3:GetObject"
    authorize(call, action, f"{call.bucket.arn}/{call.key}", given=judged.given(call))
    customer = sse.customer_key(call)
    with call.services.shared.database.read() as connection:
        version = versions.find(call, connection, call.bucket, call.key, call.query.get("versionId"))
        found = Found.of(connection, call.bucket, version)
    call.services.encryption.check(found.envelope, customer)
    told: dict[str, Content] = {}
    if "ETag" in wanted:
        told["ETag"] = reading.etag_of(call, found.bucket, version)
    if wanted & _SEALED:
        told |= _sealed(call, reading.opened(call, found, customer), wanted)
    if "StorageClass" in wanted:
        told["StorageClass"] = version.storage_class
    if "ObjectSize" in wanted:
        told["ObjectSize"] = version.size
    return S3Answer(
        headers={"Last-Modified": http_date(version.modified_at)} | version_header(version),
        body=xml_writer.document("GetObjectAttributesResponse", told),
    )


def _wanted(call: S3Call) -> set[str]:
    header = call.header(_HEADER)
    if not header:
        raise InvalidRequest(
            f"The {_HEADER} header specifying the attributes to be retrieved is either missing or empty"
        )
    wanted = {name.strip() for name in header.split(",")}
    if not wanted <= set(_KNOWN):
        raise InvalidArgument("Invalid attribute name specified.", ArgumentName=_HEADER, ArgumentValue=header)
    return wanted


def _sealed(call: S3Call, opened: Opened, wanted: set[str]) -> dict[str, Content]:
    told: dict[str, Content] = {}
    checksums = opened.manifest.checksums
    if "Checksum" in wanted and checksums.algorithm:
        told["Checksum"] = checksums.elements()
    if "ObjectParts" in wanted and opened.found.version.part_count is not None:
        told["ObjectParts"] = _parts(call, opened)
    return told


def _parts(call: S3Call, opened: Opened) -> dict[str, Content]:
    limit = _number(call, "x-amz-max-parts", _MOST_PARTS)
    after = _number(call, "x-amz-part-number-marker", 0)
    checksums = opened.manifest.checksums
    numbered = list(enumerate(opened.manifest.parts, 1))
    page = [(number, part) for number, part in numbered if number > after][:limit]
    listed: list[Content] = [
        {
            "PartNumber": number,
            "Size": part.size,
            f"Checksum{checksums.algorithm}": checksums.parts[number - 1],
        }
        for number, part in page
        if checksums.type == COMPOSITE
    ]
    last = page[-1][0] if page else 0
    return {
        "PartsCount": len(numbered), "PartNumberMarker": after, "NextPartNumberMarker": last, "MaxParts": limit,
        "IsTruncated": bool(page) and last < len(numbered),
        # S3 lists parts only where each has a checksum of its own.
        "Part": listed,
    }  # fmt: skip


def _number(call: S3Call, name: str, default: int) -> int:
    text = call.header(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 6:
        raise InvalidArgument(
            f"Provided {name} not an integer or within integer range", ArgumentName=name, ArgumentValue=text
        )
    return min(int(text), _MOST_PARTS) if default else int(text)


OPERATIONS = (
    S3Operation(
        "GetObjectAttributes", get_object_attributes, "GET", Level.OBJECT, "s3:GetObjectAttributes",
        queries=("attributes",), version_action="s3:GetObjectVersionAttributes", is_data=True,
    ),
)  # fmt: skip
