"""What those who follow the audit log have yet to read of it: it must not be pruned."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from kms_server.clock import DAY
from kms_server.storage import audit_positions, leases, settings, trails
from kms_server.storage.trail_tables import trail_files

STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Holds:
    """The positions of all readers, and where the ranges of files begin that are not delivered yet."""

    positions: tuple[Mapping[str, int], ...] = ()
    pending: Mapping[str, int] = field(default_factory=dict)

    def ceiling(self, writer: str, seq: int) -> int:
        """The number up to which the rows of a writer may be pruned, at most `seq`."""
        taken = (position.get(writer, 0) for position in self.positions)
        return min(seq, self.pending.get(writer, seq + 1) - 1, *taken)


NOTHING = Holds()


def holds(connection: Connection) -> Holds:
    """What is held now: by every trail that logs or was not forgotten, and by the stream, if there was one this last day.

    A trail that does not log holds what is above its positions for as long as it has any.
    """
    taken = [
        position
        for trail in trails.every(connection)
        if (position := audit_positions.get(connection, trail.trail_id)) or trail.logging
    ]
    if leases.was_held(connection, settings.STREAM_LEASE, DAY):
        taken.append(audit_positions.get(connection, STREAM))
    return Holds(tuple(taken), _pending(connection))


def _pending(connection: Connection) -> dict[str, int]:
    undelivered = select(trail_files.c.ranges).where(trail_files.c.delivered_at.is_(None))
    first: dict[str, int] = {}
    for ranges in connection.execute(undelivered).scalars():
        for writer, (begin, _) in json.loads(ranges).items():
            first[writer] = min(begin, first.get(writer, begin))
    return first
