"""Which records go into which log file of a trail, decided once: names, ranges and positions commit together."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from kms_server.audit import event_id
from kms_server.audit.trail import names
from kms_server.audit.trail.files import MOST_BYTES, selects
from kms_server.audit.trail.reading import Chain, Journals, LogUnreadable
from kms_server.audit.trail.selectors import Selectors
from kms_server.storage import audit_positions, trail_files, trails
from kms_server.storage.database import Database, Transaction
from kms_server.storage.trail_files import TrailFile
from kms_server.storage.trails import Trail

# So many rows are read at once, which takes about half a second.
_MOST_ROWS = 50_000


def ended_at(trail: Trail) -> float | None:
    """When a trail recorded last (epoch seconds); None while it records."""
    if trail.logging:
        return trail.deleted_at
    ends = [moment for moment in (trail.stopped_at, trail.deleted_at) if moment is not None]
    return min(ends, default=0.0)


class Planner:
    """Plans files; `most_bytes` is how long one may be, uncompressed."""

    def __init__(
        self,
        database: Database,
        journals: Journals,
        now: Callable[[], float],
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._database = database
        self._journals = journals
        self._now = now
        self._most_bytes = most_bytes

    def plan(self, trail: Trail) -> Iterator[None]:
        """Plan all that a trail has to deliver by now, in steps; of one that has ended, what it recorded until then.

        Others may be planning at the same time: whoever commits first wins, and the rest is left to the next time.

        Raises:
            LogUnreadable: some chains cannot be read; what the others have is planned.
        """
        while self._step(trail):
            yield

    def backlog(self, trail: Trail) -> int:
        """How many rows of the log a trail has not looked at yet."""
        with self._database.read() as connection:
            positions = audit_positions.get(connection, trail.trail_id)
        if not positions and ended_at(trail) is not None:
            return 0
        selectors = Selectors.of(trail.selectors)
        chains, _ = self._journals.survey(selectors)
        return sum(max(0, one.last - positions.get(one.writer, 0)) for one in chains if one.is_wanted)

    def _step(self, trail: Trail) -> bool:
        """Plan a file per Region; whether there is more to plan."""
        with self._database.read() as connection:
            before = audit_positions.get(connection, trail.trail_id)
        # The positions of a trail go with the last that it plans.
        if not before and ended_at(trail) is not None:
            return False
        pile = self._read(trail, before)
        is_end = pile.is_complete and pile.damage is None and ended_at(trail) is not None
        if (pile.positions or is_end) and not self._keep(trail, before, pile, is_end=is_end):
            return False
        if pile.is_complete and pile.damage is not None:
            raise pile.damage
        return not pile.is_complete

    def _keep(self, trail: Trail, before: dict[str, int], pile: "_Pile", *, is_end: bool) -> bool:
        """Store what is planned; False: others have planned meanwhile, or the trail has changed."""
        with self._database.write() as tx:
            if not self._is_as_it_was(tx, trail, before):
                return False
            now = self._now()
            for region, ranges in sorted(pile.ranges.items()):
                trail_files.add(
                    tx,
                    TrailFile(
                        trail.trail_id, region, trail.bucket, names.log_key(trail, region, now), ranges, trail.selectors,
                        now,
                    ),
                )  # fmt: skip
            if is_end:
                audit_positions.remove(tx.connection, trail.trail_id)
            else:
                audit_positions.put(tx.connection, trail.trail_id, pile.positions)
        return True

    def _is_as_it_was(self, tx: Transaction, trail: Trail, before: dict[str, int]) -> bool:
        current = trails.get(tx.connection, trail.trail_id)
        return (
            current is not None
            and _what(current) == _what(trail)
            and audit_positions.get(tx.connection, trail.trail_id) == before
        )

    def _read(self, trail: Trail, before: dict[str, int]) -> "_Pile":
        """What lies above the positions, up to where a file is full."""
        selectors = Selectors.of(trail.selectors)
        chains, damage = self._journals.survey(selectors)
        pile = _Pile(self._most_bytes, damage)
        for chain in chains:
            seq = before.get(chain.writer, 0)
            if chain.last <= seq:
                continue
            if not chain.is_wanted:
                pile.positions[chain.writer] = chain.last
                continue
            try:
                if not _pile_up(pile, trail, selectors, chain, seq):
                    return pile
            except LogUnreadable as error:
                pile.damage = error  # what the other chains have can be delivered
        pile.is_complete = True
        return pile


def _pile_up(pile: "_Pile", trail: Trail, selectors: Selectors, chain: Chain, seq: int) -> bool:
    """Take the rows of a chain behind number `seq`; whether all of them had room."""
    end = ended_at(trail)
    with closing(chain.behind(seq)) as entries:
        for entry in entries:
            size = len(entry.row.record.encode())
            if not pile.has_room(entry.row.region, size):
                return False
            in_time = end is None or event_id.time_of(entry.row.event_id) <= end
            wanted = in_time and selects(trail, selectors, entry.row)
            pile.take(chain.writer, entry.seq, entry.row.region if wanted else None, size)
    return True


def _what(trail: Trail) -> tuple[object, ...]:
    """What of a trail decides what is in its files and where they go."""
    return (
        trail.logging, trail.started_at, trail.stopped_at, trail.deleted_at, trail.selectors, trail.bucket,
        trail.prefix, trail.multi_region,
    )  # fmt: skip


@dataclass(slots=True)
class _Pile:
    """What is planned at once: of each Region ranges that fit into one file, and how far each writer was read."""

    most_bytes: int
    damage: LogUnreadable | None
    positions: dict[str, int] = field(default_factory=dict)
    ranges: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    is_complete: bool = False
    _sizes: dict[str, int] = field(default_factory=dict)
    _rows: int = 0

    def has_room(self, region: str, size: int) -> bool:
        """Whether a row may be read, and a record of `size` bytes fits into the file of a Region."""
        taken = self._sizes.get(region, 0)
        return self._rows < _MOST_ROWS and (taken == 0 or taken + size <= self.most_bytes)

    def take(self, writer: str, seq: int, region: str | None, size: int) -> None:
        """Count a row as read, and put it into the file of a Region unless that is None."""
        self._rows += 1
        self.positions[writer] = seq
        if region is not None:
            self._sizes[region] = self._sizes.get(region, 0) + size + 1
            ranges = self.ranges.setdefault(region, {})
            first, _ = ranges.get(writer, (seq, seq))
            ranges[writer] = (first, seq)
