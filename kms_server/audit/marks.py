"""The mark of a sealed segment: what a question can know of the segment without opening it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from kms_server.audit import value_filter
from kms_server.storage.resource_types import resource_type

SUFFIX = ".sealed"
# Where each attribute stands, by the name of its index.
_COLUMNS = {
    "event_name": ("event_name", "event_name"),
    "event_source": ("event_source", "event_source"),
    "username": ("username", "username"),
    "access_key_id": ("access_key_id", "access_key_id"),
    "resource_1": ("resource_1", "resource"),
    "resource_2": ("resource_2", "resource"),
    "resource_1_type": (str(resource_type("resource_1")), "resource_type"),
    "resource_2_type": (str(resource_type("resource_2")), "resource_type"),
    "read_only": ("CASE WHEN read_only THEN 'true' ELSE 'false' END", "read_only"),
}
# A type follows from the ARN in the column named here: a row with the first row's ARN has its type, and one without an ARN has
# none, and is not in the index of types.
_ARNS = {"resource_1_type": "resource_1", "resource_2_type": "resource_2"}
_FIRST = f"SELECT {', '.join(one for one, _ in _COLUMNS.values())} FROM audit_events LIMIT 1"  # noqa: S608 - columns alone
_DIFFERS = {name: f"{one} IS NOT :{name}" for name, (one, _) in _COLUMNS.items()}
_DIFFERS |= {name: f"{_DIFFERS[arn]} AND {_DIFFERS[name]}" for name, arn in _ARNS.items()}
_OTHERS = (
    f"SELECT {', '.join(f'count(*) FILTER (WHERE {one})' for one in _DIFFERS.values())} FROM audit_events"  # noqa: S608
)

# Segments of before there were chains may be empty: they come before all others. Each end is a question of its own: SQLite
# reads all rows for two in one.
_END = "coalesce((SELECT {}(event_id) FROM audit_events), '0')"
_ENDS = f"SELECT {_END.format('min')}, {_END.format('max')}"


@dataclass(frozen=True, slots=True)
class Mark:
    """The smallest and the largest event id of a segment, and the filter of the values that its rows are looked up by."""

    first: str
    last: str
    values: bytes = field(repr=False)


def value_of(account: str, region: str, attribute: tuple[str, str] | None) -> int:
    """What the filter holds for each attribute of each row, and for each row's account and Region alone."""
    return value_filter.fingerprint(account, region, *(attribute or ()))


def uniform(connection: Any) -> dict[str, str]:  # noqa: ANN401 - pysqlite3 has no types
    """The values that all rows of a segment have alike, by the names of their indexes.

    Who asks for such a value asks for all rows of an account, and needs no more than the index of these.
    """
    first = connection.execute(_FIRST).fetchone()
    if first is None:
        return {}
    (others,) = connection.execute(_OTHERS, dict(zip(_COLUMNS, first, strict=True)))
    each = zip(_COLUMNS, first, others, strict=True)
    return {name: value for name, value, count in each if value is not None and not count}


def describe(connection: Any, alike: Mapping[str, str] | None = None) -> Mark:  # noqa: ANN401
    """The mark of a segment; `alike` is what `uniform` says of it, and has no index."""
    ((first, last),) = connection.execute(_ENDS)
    return Mark(first, last, value_filter.build(_values(connection, alike or {})))


def _values(connection: Any, alike: Mapping[str, str]) -> Iterator[int]:  # noqa: ANN401
    found = "SELECT DISTINCT account, region"
    places = connection.execute(f"{found} FROM audit_events").fetchall()
    for account, region in places:
        yield value_of(account, region, None)
    for name, (column, attribute) in _COLUMNS.items():
        if name in alike:
            for account, region in places:
                yield value_of(account, region, (attribute, alike[name]))
            continue
        rows = connection.execute(
            f"{found}, {column} FROM audit_events WHERE {_ARNS.get(name, column)} IS NOT NULL AND {column} IS NOT NULL"
        )
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
