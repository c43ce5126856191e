"""What a request names: a bucket, a key, query parameters."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from msgspec import structs

from kms_server.protocol.message import Request
from kms_server.s3.errors import InvalidArgument, InvalidURI, KeyTooLong
from kms_server.s3.wire.header_text import as_header

MOST_KEY_BYTES = 1_024
_BAD_ESCAPE = re.compile("%(?![0-9a-fA-F]{2})")
_HOISTED = "x-amz-"
_PRESIGNED = frozenset({"X-Amz-Algorithm", "AWSAccessKeyId"})
# Query parameters that are looked for as text, of which PostgreSQL takes no NUL; keys and their prefixes are bytes.
_IDS = frozenset({"uploadId", "upload-id-marker", "versionId", "version-id-marker"})
# Query parameters of a signature, which are no headers.
_OF_SIGNATURE = frozenset(
    f"x-amz-{name}" for name in ("algorithm", "credential", "date", "expires", "signature", "signedheaders")
)


class Location(NamedTuple):
    """What a path names; empty where it names none. `is_virtual` tells that the bucket stands in the host name."""

    bucket: str
    key: str
    is_virtual: bool


def locate(request: Request, domain: str | None) -> Location:
    """Bucket and key of a request; a host `bucket.<domain>` names the bucket. Keys are never normalised.

    Raises:
        InvalidURI: the path is not UTF-8 in percent-encoding.
        KeyTooLong
    """
    path = _decoded(request.path).removeprefix("/")
    bucket = _bucket_of(request, domain) if domain else None
    key = path
    if bucket is None:
        name, _, key = path.partition("/")
    check_key(key)
    return Location(name, key, is_virtual=False) if bucket is None else Location(bucket, key, is_virtual=True)


def check_key(key: str) -> None:
    """Check the length of a key.

    Raises:
        KeyTooLong
    """
    size = len(key.encode())
    if size > MOST_KEY_BYTES:
        raise KeyTooLong(Size=f"{size}", MaxSizeAllowed=f"{MOST_KEY_BYTES}")


def is_virtual(request: Request, domain: str | None) -> bool:
    """Whether the host of a request names a bucket."""
    return domain is not None and _bucket_of(request, domain) is not None


def parse_query(text: str) -> dict[str, str]:
    """The parameters of a query; a plus sign is a blank, one without a value has an empty one.

    Raises:
        InvalidURI: it is not UTF-8 in percent-encoding.
        InvalidArgument: a name stands in it twice, or an id has a NUL.
    """
    found: dict[str, str] = {}
    for item in filter(None, text.split("&")):
        name, _, value = item.replace("+", "%20").partition("=")
        name = _decoded(name)
        if name in found:
            raise InvalidArgument("A query parameter is given twice.", ArgumentName=name)
        found[name] = _decoded(value)
        if name in _IDS and "\0" in found[name]:
            raise InvalidArgument(f"Invalid {name} specified", ArgumentName=name, ArgumentValue=found[name])
    return found


def with_hoisted(request: Request, query: Mapping[str, str]) -> Request:
    """A presigned request with the headers that its client put into the query; they count once the signature is verified.

    Raises:
        InvalidArgument: no header can have such a value.
    """
    if _PRESIGNED.isdisjoint(query):
        return request
    hoisted = {name.lower(): value for name, value in query.items() if name.lower().startswith(_HOISTED)}
    told = {name: as_header(name, value) for name, value in hoisted.items() if name not in _OF_SIGNATURE}
    return structs.replace(request, headers=told | dict(request.headers)) if told else request


def byte_characters(text: str) -> str:
    """A text as headers come: each character stands for a byte of its UTF-8."""
    return text.encode().decode("latin-1")


def _bucket_of(request: Request, domain: str) -> str | None:
    host = request.headers.get("host", "").lower()
    name, _, port = host.rpartition(":")
    name = name if port.isdigit() else host
    bucket = name.removesuffix(f".{domain.lower()}")
    return bucket if bucket and bucket != name else None


def _decoded(text: str) -> str:
    if not text.isascii() or _BAD_ESCAPE.search(text):
        raise InvalidURI
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise InvalidURI from None
