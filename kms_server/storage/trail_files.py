"""The log files of trails: what is in each is known before it is written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from kms_server.storage.database import Transaction
from kms_server.storage.trail_tables import trail_files

# Of each writer the numbers of the first and of the last row.
Ranges: TypeAlias = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class TrailFile:
    """A log file of a trail for one Region; times are epoch seconds of the service's clock.

    It has the records of `ranges` that are of the trail's account and of the Region, and that `selectors` select, which
    are those of the trail when the file was planned. `hash` and what stands behind it are None until it is delivered.
    `digest_end` is the end of the digest that lists the file; of one that none will list, when it was delivered.
    """

    trail_id: str
    region: str
    bucket: str
    object_key: str
    ranges: Ranges
    selectors: str | None
    planned_at: float
    file_id: int = 0
    delivered_at: float | None = None
    hash: str | None = None
    oldest_event: float | None = None
    newest_event: float | None = None
    digest_end: float | None = None


_COLUMNS = [trail_files.c[one.name] for one in fields(TrailFile)]
_IS_PENDING = trail_files.c.delivered_at.is_(None)


def add(tx: Transaction, file: TrailFile) -> None:
    """Store a file that is to be delivered; its id is chosen here."""
    values = {one.name: getattr(file, one.name) for one in fields(TrailFile) if one.name != "file_id"}
    tx.connection.execute(insert(trail_files), values | {"ranges": json.dumps(file.ranges)})


def pending(connection: Connection, trail_id: str) -> list[TrailFile]:
    """The files of a trail that are not delivered yet, oldest first."""
    return _where(connection, trail_files.c.trail_id == trail_id, _IS_PENDING)


def of_trail(connection: Connection, trail_id: str) -> list[TrailFile]:
    """All files of a trail, oldest first."""
    return _where(connection, trail_files.c.trail_id == trail_id)


def unlisted(connection: Connection, trail_id: str, region: str) -> list[TrailFile]:
    """The delivered files of a trail and Region that are in no digest yet, oldest first."""
    columns = trail_files.c
    return _where(
        connection, columns.trail_id == trail_id, columns.region == region, columns.digest_end.is_(None), ~_IS_PENDING
    )  # fmt: skip


def deliver(tx: Transaction, file_id: int, **values: object) -> None:
    """Note that a file was delivered, with its hash and all that is known by now; nothing, where that is noted."""
    here = (trail_files.c.file_id == file_id, _IS_PENDING)
    tx.connection.execute(update(trail_files).where(*here).values(**values))


def enlist(tx: Transaction, trail_id: str, region: str, digest_end: float) -> None:
    """Note the digest that lists all files which `unlisted` tells of in the same transaction."""
    columns = trail_files.c
    mine = (
        columns.trail_id == trail_id,
        columns.region == region,
        columns.digest_end.is_(None),
        ~_IS_PENDING,
    )
    tx.connection.execute(update(trail_files).where(*mine).values(digest_end=digest_end))


def regions(connection: Connection, trail_id: str) -> set[str]:
    """The Regions that a trail has files of."""
    found = select(trail_files.c.region).where(trail_files.c.trail_id == trail_id).distinct()
    return set(connection.execute(found).scalars())


def listed_until(connection: Connection, trail_id: str, region: str) -> float:
    """The latest `digest_end` of the files of a trail and Region; 0 where there is none."""
    columns = trail_files.c
    mine = (columns.trail_id == trail_id, columns.region == region)
    return connection.execute(select(func.max(columns.digest_end)).where(*mine)).scalar_one() or 0.0


def is_planned(connection: Connection, bucket: str, object_key: str) -> bool:
    """Whether any trail has made a file of that name, or is about to."""
    columns = trail_files.c
    wanted = select(columns.file_id).where(columns.bucket == bucket, columns.object_key == object_key)
    return connection.execute(wanted.limit(1)).first() is not None


def needed(connection: Connection) -> dict[str, int]:
    """Of each writer the first row that a file needs which is not delivered yet."""
    first: dict[str, int] = {}
    for file in _where(connection, _IS_PENDING):
        for writer, (begin, _) in file.ranges.items():
            first[writer] = min(begin, first.get(writer, begin))
    return first


def _where(connection: Connection, *conditions: ColumnElement[bool]) -> list[TrailFile]:
    statement = select(*_COLUMNS).where(*conditions).order_by(trail_files.c.file_id)
    return [_read(row) for row in connection.execute(statement)]


def _read(row: Sequence[Any]) -> TrailFile:
    values = dict(zip((one.name for one in fields(TrailFile)), row, strict=True))
    ranges = {writer: (first, last) for writer, (first, last) in json.loads(values["ranges"]).items()}
    return TrailFile(**values | {"ranges": ranges})
