"""Pruning: what of the log goes, and how it goes, so that it can be broken off between any two steps.

First a signed stub permits that what goes is missing. Then of some units the last uses of keys are folded, and they are
removed. What is broken off is planned anew, and to fold again changes nothing.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, TypeAlias

from kms_server.audit import last_use, segment_removal
from kms_server.audit.last_use import Uses
from kms_server.audit.ledger import MAIN, OBJECTS
from kms_server.audit.log_size import Log, Part, ends
from kms_server.audit.pruning_units import Sealed, Unit, chained_rows, sealed, sealed_segments, unchained_rows
from kms_server.errors import OperatorError
from kms_server.files import lock_file, take_shared
from kms_server.storage import audit_holds, audit_positions, audit_pruning, audit_writers
from kms_server.storage.audit_holds import NOTHING, Holds
from kms_server.storage.audit_writers import Chain, Head

_LOG = logging.getLogger(__name__)
_AT_ONCE = 50  # units whose last uses are folded together
_KEPT = (MAIN, OBJECTS)  # their newest batches stay

# Takes up to where chains are pruned, and the chains that go whole; signs and keeps both. See `Checkpoints.rebase`.
Stub: TypeAlias = Callable[[Mapping[str, Head], Sequence[str]], None]


@dataclass(slots=True)
class Plan:
    """What goes, oldest first; `left` are the bytes that the log has afterwards.

    Of the chains that are `pruned` the rest stays; of those in the shared database that are also `empty` nothing does.
    """

    left: int
    units: list[Unit] = field(default_factory=list)
    pruned: dict[str, Head] = field(default_factory=dict)
    segments: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    @property
    def gone(self) -> list[str]:
        """The chains that go whole."""
        return self.segments + self.empty

    def add(self, unit: Unit) -> None:
        """Let a unit go."""
        self.units.append(unit)
        self.left -= unit.size
        if unit.end is not None and unit.writer is not None:
            self.pruned[unit.writer] = unit.end
        elif unit.writer is not None:
            self.segments.append(unit.writer)


class Freed(NamedTuple):
    """What a step has freed."""

    rows: int = 0
    size: int = 0


class BackupUnderWay(OperatorError):
    """Nothing is pruned while a backup is made: it reads segments after the database that names them."""

    def __init__(self) -> None:
        super().__init__("a backup is being made of this log: prune when it is done")


class _Contents(NamedTuple):
    part: Part
    segments: Sequence[Sealed]
    chains: Sequence[Chain]
    row_size: int


class Pruner:
    """Prunes a log; any number of processes may at once.

    `rows` is about how many go in one transaction. `lock` is the file by which backups keep the log as it is.
    """

    def __init__(self, log: Log, stub: Stub, *, rows: int, lock: Path) -> None:
        self._log = log
        self._stub = stub
        self._rows = rows
        self._lock = lock

    def holds(self) -> Holds:
        """What has yet to be read."""
        with self._log.database.read() as connection:
            return audit_holds.holds(connection)

    def plan(
        self, cutoff: str, most: int | None, *, undelivered: bool = False
    ) -> Generator[None, None, Plan]:
        """What goes: what is older than the event id `cutoff`, and the oldest while there are more than `most` bytes.

        What somebody has yet to read stays, unless `undelivered`.
        """
        plan = Plan(self._log.size())
        there = [self._contents(part) for part in self._log.parts]
        # After what is there: whoever begins to follow the log now has no need of that.
        holds = NOTHING if undelivered else self.holds()
        units = (one for contents in there for one in self._units(contents, holds, cutoff))
        for unit in merge(*units, key=attrgetter("newest")):
            if unit.newest >= cutoff and (most is None or plan.left <= most):
                break
            plan.add(unit)
            yield
        self._add_empty(plan)
        return plan

    def carry_out(self, plan: Plan) -> Iterator[Freed]:
        """Prune as planned; yields after every step.

        Raises:
            BackupUnderWay: nothing was pruned.
            OperatorError: some units could not be removed; the others are.
        """
        if not (plan.units or plan.gone):
            return
        with lock_file(self._lock) as descriptor:
            if not take_shared(descriptor):
                raise BackupUnderWay
            yield from self._prune(plan)

    def _prune(self, plan: Plan) -> Iterator[Freed]:
        self._stub(plan.pruned, plan.gone)
        yield Freed()
        failed = 0
        for start in range(0, len(plan.units), _AT_ONCE):
            failed += yield from self._remove(plan.units[start : start + _AT_ONCE])
        for writer in plan.empty:
            with self._log.database.index() as connection:
                audit_writers.remove(connection, writer)
            yield Freed()
        if failed:
            raise OperatorError(f"{failed} parts of the audit log could not be pruned")

    def clear_remains(self) -> None:
        """Remove files of segments whose removal was broken off."""
        for part in self._log.parts:
            if part.segments is not None:
                segment_removal.clear_remains(part.segments)

    def forget_positions(self) -> None:
        """Forget the positions of readers in chains that are gone."""
        with self._log.database.read() as connection:
            known = audit_positions.writers(connection)
        # After them: who has a position had a head.
        found = [ends(self._log.database, part) for part in self._log.parts]
        gone = known.difference(*(one for each in found for one in each))
        if gone:
            with self._log.database.index() as connection:
                audit_positions.remove_writers(connection, gone)

    def _remove(self, units: Sequence[Unit]) -> Generator[Freed, None, int]:
        """Remove units when last uses in all of them are folded; how many could not be."""
        uses, readable = Uses(), []
        for unit in units:
            try:
                unit.add_uses(uses, self._log.database)
            except (OSError, ValueError, KeyError) as error:  # unreadable, or with a record that was changed
                _LOG.error("a part of the audit log is not pruned: %s", error)
            else:
                readable.append(unit)
            yield Freed()
        last_use.fold(self._log.database, uses)
        yield Freed()
        for unit in readable:
            if unit.remove(self._log.database):
                yield Freed(unit.rows, unit.size)
        return len(units) - len(readable)

    def _contents(self, part: Part) -> _Contents:
        segments = [] if part.segments is None else sealed(part.segments)
        with self._log.database.read() as connection:
            row_size = audit_pruning.row_bytes(connection, part.table)
            chains = audit_writers.chains(connection, is_data=part.is_data)
        return _Contents(part, segments, chains, row_size)

    def _units(self, contents: _Contents, holds: Holds, cutoff: str) -> Iterator[Iterator[Unit]]:
        database, (part, segments, chains, row_size) = self._log.database, contents
        yield sealed_segments(segments, holds, is_data=part.is_data)
        yield unchained_rows(database, part.table, self._rows, row_size)
        for chain in chains:
            after, ceiling = chain.pruned.seq, holds.ceiling(chain.writer, self._highest(part, chain))
            yield chained_rows(
                database, part.table, chain.writer, after, ceiling, cutoff, self._rows, row_size
            )

    def _highest(self, part: Part, chain: Chain) -> int:
        """The number of the last row of a chain that may go."""
        if chain.writer not in _KEPT:
            return chain.head.seq
        with self._log.database.read() as connection:
            return audit_pruning.end_below(connection, part.table, chain.writer, chain.head.seq)

    def _add_empty(self, plan: Plan) -> None:
        """Let chains go of which no row is left; if a writer is alive, it begins another."""
        with self._log.database.read() as connection:
            chains = [
                chain
                for part in self._log.parts
                for chain in audit_writers.chains(connection, is_data=part.is_data)
            ]
        for chain in chains:
            if (
                chain.writer not in _KEPT
                and plan.pruned.get(chain.writer, chain.pruned).seq == chain.head.seq
            ):
                plan.pruned[chain.writer] = chain.head
                plan.empty.append(chain.writer)
