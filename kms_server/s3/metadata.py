"""What is kept of an object beside its bytes: headers, user metadata, tags, storage class."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from kms_server.s3.errors import (
    InvalidArgument,
    InvalidRequest,
    InvalidStorageClass,
    InvalidTag,
    MetadataTooLarge,
)

USER = "x-amz-meta-"
_MOST_USER_BYTES = 2_048
_MOST_TAGS = 10
_KEPT = (
    "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires",
    "x-amz-website-redirect-location",
)  # fmt: skip
_LOCK = "x-amz-object-lock-"
_DEFAULT_TYPE = "binary/octet-stream"
STANDARD = "STANDARD"
ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_CLASSES = ARCHIVED | {
    STANDARD, "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR",
}  # fmt: skip


def is_kept(name: str) -> bool:
    """Whether a header, by its lower-case name, is kept with an object."""
    return name in _KEPT or name.startswith(USER)


def require_no_lock(headers: Mapping[str, str]) -> None:
    """Refuse what would keep an object from being deleted: no bucket has Object Lock, and none must seem to.

    Raises:
        InvalidRequest
    """
    if any(name.startswith(_LOCK) for name in headers):
        raise InvalidRequest("Bucket is missing Object Lock Configuration")


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request that belong to its object, by lower-case name.

    Raises:
        MetadataTooLarge: the user's own have more than 2,048 bytes.
    """
    kept = {name: headers[name] for name in _KEPT if name in headers}
    kept.setdefault("content-type", _DEFAULT_TYPE)
    if "content-encoding" in kept:
        codings = [one.strip() for one in kept["content-encoding"].split(",") if one.strip() != "aws-chunked"]
        kept["content-encoding"] = ",".join(codings)
        if not codings:
            del kept["content-encoding"]
    user = {name: value for name, value in headers.items() if name.startswith(USER)}
    size = sum(len(name) - len(USER) + len(value.encode()) for name, value in user.items())
    if size > _MOST_USER_BYTES:
        raise MetadataTooLarge(Size=str(size), MaxSizeAllowed=str(_MOST_USER_BYTES))
    return kept | user


def storage_class(headers: Mapping[str, str]) -> str:
    """The storage class that a request asks for.

    Raises:
        InvalidStorageClass
    """
    wanted = headers.get("x-amz-storage-class", STANDARD)
    if wanted not in _CLASSES:
        raise InvalidStorageClass(StorageClassRequested=wanted)
    return wanted


def tags_of_header(header: str | None) -> str | None:
    """The tags of x-amz-tagging, as they are kept.

    Raises:
        InvalidArgument, InvalidTag
    """
    if header is None:
        return None
    try:
        pairs = parse_qsl(header, keep_blank_values=True, strict_parsing=bool(header), errors="strict")
    except ValueError:
        raise InvalidArgument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without "
            "tag name duplicates.",
            ArgumentName="x-amz-tagging", ArgumentValue=header,
        ) from None  # fmt: skip
    return written_tags(pairs)


def written_tags(pairs: list[tuple[str, str]], most: int = _MOST_TAGS) -> str | None:
    """Tags as they are kept; None where there are none.

    Raises:
        InvalidTag: one is malformed or doubled, or there are too many.
    """
    if len(pairs) > most:
        raise InvalidTag(f"Object tags cannot be greater than {most}")
    if len(dict(pairs)) != len(pairs):
        raise InvalidTag("Cannot provide multiple Tags with the same key")
    for key, value in pairs:
        if not 1 <= len(key) <= 128:
            raise InvalidTag("The TagKey you have provided is invalid", TagKey=key)
        if len(value) > 256:
            raise InvalidTag("The TagValue you have provided is invalid", TagKey=key, TagValue=value)
        if key.lower().startswith("aws:"):
            raise InvalidTag("System tags cannot be added/updated by requester", TagKey=key)
    return json.dumps(dict(pairs)) if pairs else None


def read_tags(text: str | None) -> dict[str, str]:
    """Tags as `written_tags` wrote them."""
    tags: dict[str, str] = json.loads(text) if text else {}
    return tags
