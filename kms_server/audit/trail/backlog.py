"""What trails have not delivered yet, for those who look after the server."""

from collections.abc import Iterator
from typing import NamedTuple

from kms_server.audit.trail.planning import Planner
from kms_server.storage import trail_digests, trail_files, trails
from kms_server.storage.database import Database
from kms_server.storage.trails import Trail

_LATE = 3_600.0


class Backlog(NamedTuple):
    """What is left of one trail: rows of the log that it has not looked at, files and digests that are not written.

    `since` is when the oldest file was planned (epoch seconds of the service's clock).
    """

    trail: Trail
    rows: int
    files: int
    digests: int
    since: float | None

    @property
    def error(self) -> str | None:
        """Why the last attempt failed; None where it did not."""
        return self.trail.delivery_error or self.trail.digest_error


def backlogs(database: Database, planner: Planner) -> list[Backlog]:
    """The backlog of every trail, as far as the log can be read."""
    with database.read() as connection:
        found = trails.every(connection)
    return [_of(database, trail, planner.backlog(trail)) for trail in found]


class Lag(NamedTuple):
    """How many log files of all trails wait for their delivery, and for how many seconds the oldest has."""

    files: int
    seconds: float


def lag(database: Database, now: float) -> Lag:
    """How far delivery is behind at `now` (epoch seconds of the service's clock)."""
    with database.read() as connection:
        waiting = [
            file.planned_at
            for trail in trails.every(connection)
            for file in trail_files.pending(connection, trail.trail_id)
        ]
    return Lag(len(waiting), max(0.0, now - min(waiting, default=now)))


def delivery_warning(database: Database, now: float) -> str | None:
    """What is wrong with delivery at `now`, for the health of a server; None: nothing."""
    return next(delivery_warnings(database, now), None)


def delivery_warnings(database: Database, now: float) -> Iterator[str]:
    """What is wrong with the delivery of each trail at `now`."""
    with database.read() as connection:
        found = trails.every(connection)
    for trail in found:
        left = _of(database, trail, 0)
        if left.error is not None:
            yield f"the trail {trail.arn} cannot deliver to {trail.bucket}: {left.error}"
        elif left.since is not None and now - left.since > _LATE:
            yield f"the trail {trail.arn} has {left.files} log files that wait for more than an hour"


def _of(database: Database, trail: Trail, rows: int) -> Backlog:
    with database.read() as connection:
        files = trail_files.pending(connection, trail.trail_id)
        digests = trail_digests.pending(connection, trail.trail_id)
    since = min((file.planned_at for file in files), default=None)
    return Backlog(trail, rows, len(files), len(digests), since)
