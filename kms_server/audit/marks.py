"""The mark of a sealed segment: what a question can know of the segment without opening it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from kms_server.audit import value_filter
from kms_server.storage.resource_types import resource_type

SUFFIX = ".sealed"
_COLUMNS = {
    "event_name": "event_name",
    "event_source": "event_source",
    "username": "username",
    "access_key_id": "access_key_id",
    "resource_1": "resource",
    "resource_2": "resource",
    str(resource_type("resource_1")): "resource_type",
    str(resource_type("resource_2")): "resource_type",
    "CASE WHEN read_only THEN 'true' ELSE 'false' END": "read_only",
}

# Segments of before there were chains may be empty: they come before all others.
_ENDS = "SELECT coalesce(min(event_id), '0'), coalesce(max(event_id), '0') FROM audit_events"


@dataclass(frozen=True, slots=True)
class Mark:
    """The smallest and the largest event id of a segment, and the filter of the values that its rows are looked up by."""

    first: str
    last: str
    values: bytes = field(repr=False)


def value_of(account: str, region: str, attribute: tuple[str, str] | None) -> int:
    """What the filter holds for each attribute of each row, and for each row's account and Region alone."""
    return value_filter.fingerprint(account, region, *(attribute or ()))


def describe(connection: Any) -> Mark:  # noqa: ANN401 - pysqlite3 has no types
    """The mark of a segment that is indexed."""
    ((first, last),) = connection.execute(_ENDS)
    return Mark(first, last, value_filter.build(_values(connection)))


def _values(connection: Any) -> Iterator[int]:  # noqa: ANN401
    found = "SELECT DISTINCT account, region"
    for account, region in connection.execute(f"{found} FROM audit_events"):
        yield value_of(account, region, None)
    for column, attribute in _COLUMNS.items():
        rows = connection.execute(f"{found}, {column} FROM audit_events WHERE {column} IS NOT NULL")
        for account, region, value in rows:
            yield value_of(account, region, (attribute, value))


def write(path: Path, mark: Mark) -> None:
    """Mark a segment as sealed."""
    ends = f"{mark.first} {mark.last}".encode()
    draft = path.with_suffix(".mark")
    draft.touch(mode=0o600)
    draft.write_bytes(b"%s %s\n%s" % (ends, _checksum(ends + mark.values), mark.values))
    draft.rename(path.with_suffix(SUFFIX))


def read(path: Path) -> Mark | None:
    """The mark of a segment; None where it has none that can be used.

    A mark cut by a power failure, or of a former form, costs time and never a record.
    """
    try:
        head, _, values = path.with_suffix(SUFFIX).read_bytes().partition(b"\n")
        ends, _, checksum = head.rpartition(b" ")
        first, last = ends.decode().split()
    except (FileNotFoundError, ValueError):
        return None
    return Mark(first, last, values) if checksum == _checksum(ends + values) else None


def _checksum(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).hexdigest().encode()
