"""The Range header: one range of bytes, as S3 takes it (RFC 9110 section 14)."""

import re
from typing import NamedTuple

from kms_server.s3.errors import InvalidArgument, InvalidRange

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


class Span(NamedTuple):
    """Bytes of an object, from `first` up to `end`, which is not of it."""

    first: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.first

    def header(self, size: int) -> str:
        """The Content-Range header's value."""
        return f"bytes {self.first}-{self.end - 1}/{size}"


def wanted(header: str | None, size: int) -> Span | None:
    """The span that a Range header asks for; None where the whole object is sent, as for several ranges.

    Raises:
        InvalidRange: it begins behind the end.
    """
    matched = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if matched is None or not (matched[1] or matched[2]):
        return None
    if not matched[1]:
        first, end = max(0, size - int(matched[2])), size
    else:
        first = int(matched[1])
        end = min(size, int(matched[2]) + 1) if matched[2] else size
        if matched[2] and int(matched[2]) < first:
            return None
    if first >= end:
        raise InvalidRange(RangeRequested=header or "", ActualObjectSize=str(size))
    return Span(first, end)


def of_copy(header: str, size: int) -> Span:
    """The span of x-amz-copy-source-range, which must lie within the object.

    Raises:
        InvalidArgument
    """
    matched = _RANGE.fullmatch(header)
    if matched is None or not (matched[1] and matched[2]) or int(matched[2]) < int(matched[1]):
        raise InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range", ArgumentValue=header,
        )  # fmt: skip
    if int(matched[2]) >= size:
        raise InvalidArgument(
            f"Range specified is not valid for source object of size: {size}",
            ArgumentName="x-amz-copy-source-range", ArgumentValue=header,
        )  # fmt: skip
    return Span(int(matched[1]), int(matched[2]) + 1)
