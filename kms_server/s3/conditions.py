"""Conditional requests: If-Match and its kin (RFC 9110 section 13, as S3 narrows it)."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from kms_server.s3.errors import NoSuchKey, NotBuilt, NotModified, PreconditionFailed


def check_read(headers: Mapping[str, str], etag: str, modified_at: float, prefix: str = "") -> None:
    """Check the conditions of a read; of a copy's source, where their names begin with `prefix`.

    Raises:
        PreconditionFailed, NotModified
    """
    match, none_match = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    unmodified = _date(headers.get(f"{prefix}if-unmodified-since"))
    modified = _date(headers.get(f"{prefix}if-modified-since"))
    second = int(modified_at)
    if match is not None and not _listed(match, etag):
        raise PreconditionFailed(Condition="If-Match")
    if match is None and unmodified is not None and second > unmodified:
        raise PreconditionFailed(Condition="If-Unmodified-Since")
    stale: PreconditionFailed | NotModified = PreconditionFailed() if prefix else NotModified()
    if none_match is not None:
        if _listed(none_match, etag):
            raise stale
    elif modified is not None and second <= modified:
        raise stale


def check_write(headers: Mapping[str, str], etag: str | None) -> None:
    """Check the conditions of a write against the object that is there; `etag` is None where there is none.

    Raises:
        PreconditionFailed, NoSuchKey, NotBuilt
    """
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if none_match is not None:
        if none_match.strip() != "*":
            raise NotBuilt(
                Header="If-None-Match",
                additionalMessage="We don't accept the provided value of If-None-Match header for this API",
            )
        if etag is not None:
            raise PreconditionFailed(Condition="If-None-Match")
    if match is not None:
        if etag is None:
            raise NoSuchKey
        if not _listed(match, etag):
            raise PreconditionFailed(Condition="If-Match")


def is_conditional(headers: Mapping[str, str]) -> bool:
    """Whether a write depends on the object that is there."""
    return "if-match" in headers or "if-none-match" in headers


def _listed(header: str, etag: str) -> bool:
    listed = (item.strip() for item in header.split(","))
    return any(item == "*" or item.removeprefix("W/").strip('"') == etag for item in listed)


def _date(text: str | None) -> float | None:
    """A date in epoch seconds; one that cannot be read is ignored (RFC 9110 section 13.1.3)."""
    if text is None:
        return None
    try:
        moment: datetime = parsedate_to_datetime(text)
        return moment.timestamp()
    except (ValueError, OverflowError):
        return None
