"""Texts that become headers though they did not arrive as such: in a query, a form, a document."""

import re

from kms_server.s3.errors import InvalidArgument

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LAST_LATIN = "\xff"


def as_header(name: str, value: str) -> str:
    """The value as if it had arrived in a header of that name: its UTF-8 bytes, each a character.

    Raises:
        InvalidArgument: no header can be so (RFC 9110 section 5).
    """
    if _NAME.fullmatch(name) is None or _CONTROL.search(value):
        raise InvalidArgument(ArgumentName=name, ArgumentValue=value)
    return value if value.isascii() else value.encode().decode("latin-1")


def as_answered(name: str, value: str) -> str:
    """A value of the query parameter `name` that a header of the answer will have.

    Raises:
        InvalidArgument: with S3's text.
    """
    if _CONTROL.search(value) or max(value, default="") > _LAST_LATIN:
        raise InvalidArgument(
            "Header value cannot be represented using ISO-8859-1.", ArgumentName=name, ArgumentValue=value
        )
    return value
