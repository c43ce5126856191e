"""What trails have delivered, for those who check it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from kms_server.storage.trail_tables import trail_digests, trail_files


@dataclass(frozen=True, slots=True)
class DigestMade:
    """A digest; `delivered_at` is None while it waits. Times are epoch seconds of the service's clock."""

    region: str
    starts_at: float
    ends_at: float
    bucket: str
    object_key: str
    hash: str
    signature: str
    final: bool
    delivered_at: float | None


@dataclass(frozen=True, slots=True)
class FileMade:
    """A log file: of each writer the first and the last row that it was made from; `hash` is None while it waits."""

    region: str
    bucket: str
    object_key: str
    ranges: Mapping[str, tuple[int, int]]
    hash: str | None
    digest_end: float | None


_DIGEST = [
    trail_digests.c[name]
    for name in (
        "region",
        "starts_at",
        "ends_at",
        "bucket",
        "object_key",
        "hash",
        "signature",
        "final",
        "delivered_at",
    )
]
_FILE = [trail_files.c[name] for name in ("region", "bucket", "object_key", "ranges", "hash", "digest_end")]


def digests(connection: Connection, trail_id: str) -> list[DigestMade]:
    """The digests of a trail, oldest first."""
    wanted = select(*_DIGEST).where(trail_digests.c.trail_id == trail_id).order_by(trail_digests.c.ends_at)
    return [DigestMade(*row) for row in connection.execute(wanted)]


def files(connection: Connection, trail_id: str) -> list[FileMade]:
    """The log files of a trail in the order in which they were planned."""
    wanted = select(*_FILE).where(trail_files.c.trail_id == trail_id).order_by(trail_files.c.file_id)
    return [_file(*row) for row in connection.execute(wanted)]


def is_planned(connection: Connection, bucket: str, object_key: str) -> bool:
    """Whether any trail has made a file of that name, or is about to."""
    wanted = select(trail_files.c.file_id).where(
        trail_files.c.bucket == bucket, trail_files.c.object_key == object_key
    )
    return connection.execute(wanted.limit(1)).first() is not None


def _file(
    region: str, bucket: str, object_key: str, ranges: str, content_hash: str | None, digest_end: float | None
) -> FileMade:
    told = {writer: (first, last) for writer, (first, last) in json.loads(ranges).items()}
    return FileMade(region, bucket, object_key, told, content_hash, digest_end)
