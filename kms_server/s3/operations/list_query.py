"""What all listings of a bucket ask for and answer alike."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from kms_server.clock import iso_millis
from kms_server.s3.call import S3Call
from kms_server.s3.errors import InvalidArgument
from kms_server.s3.operations.buckets import owner_id
from kms_server.s3.wire.xml_writer import Content
from kms_server.storage.objects import Version

_MOST = 1_000
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a listing; `asked` is how many entries the client wants, `limit` how many it gets."""

    prefix: str
    delimiter: str
    asked: int
    limit: int
    is_encoded: bool

    @classmethod
    def of(cls, call: S3Call, most: str, most_named: str) -> "ListQuery":
        """The parameters of a call, `most` being the one that limits a page, which S3 also calls `most_named`.

        Raises:
            InvalidArgument
        """
        asked = _number(call, most, most_named)
        encoding = call.query.get("encoding-type")
        if encoding not in (None, "url"):
            raise InvalidArgument(
                "Invalid Encoding Method specified in Request",
                ArgumentName="encoding-type",
                ArgumentValue=encoding,
            )
        return cls(
            call.query.get("prefix", ""),
            call.query.get("delimiter", ""),
            asked,
            min(asked, _MOST),
            encoding is not None,
        )

    def shown(self, text: str) -> str:
        """A key, or a part of one, as the answer has it."""
        # S3 leaves the slash as it is; a space as %20 is read alike by those who take a plus for one and who do not.
        return quote(text, safe="/") if self.is_encoded else text

    def echo(self, most: str) -> dict[str, Content]:
        """The elements that repeat the parameters all listings have."""
        return {
            most: self.asked,
            "Delimiter": self.shown(self.delimiter) or None,
            "EncodingType": "url" if self.is_encoded else None,
        }

    def common(self, prefixes: Iterable[str]) -> list[Content]:
        """The CommonPrefixes elements."""
        return [{"Prefix": self.shown(prefix)} for prefix in prefixes]

    def object_members(self, version: Version, etag: str) -> dict[str, Content]:
        """What listings of objects and of versions tell of one, after its key."""
        return {"LastModified": whole_seconds(version.modified_at), "ETag": f'"{etag}"'} | checksum_members(
            version.checksum
        ) | {"Size": version.size, "StorageClass": version.storage_class}  # fmt: skip


def checksum_members(checksum: str | None) -> dict[str, Content]:
    """The checksum of an object or upload: its algorithm and type, not its value."""
    algorithm, _, kind = (checksum or "").partition("/")
    return {"ChecksumAlgorithm": algorithm or None, "ChecksumType": kind or None}


def whole_seconds(epoch: float) -> str:
    """A time as listings write it: to the second, as Last-Modified has it."""
    return iso_millis(int(epoch))


def owner(account: str) -> dict[str, Content]:
    """An Owner element."""
    return {"ID": owner_id(account), "DisplayName": account}


def _number(call: S3Call, name: str, named: str) -> int:
    text = call.query.get(name)
    if text is None:
        return _MOST
    if not _INTEGER.fullmatch(text) or not -_LARGEST - 1 <= int(text) <= _LARGEST:
        message = f"Provided {name} not an integer or within integer range"
        raise InvalidArgument(message, ArgumentName=name, ArgumentValue=text)
    if int(text) < 0:
        message = f"Argument {named} must be an integer between 0 and {_LARGEST}"
        raise InvalidArgument(message, ArgumentName=named, ArgumentValue=text)
    return int(text)
