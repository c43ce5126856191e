"""A log to prune, small enough that its limits are reached, and processes that prune it.

`python -m tests.unit.audit.pruning_scene <cutoff> <place>` prunes what is older than an event id.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from kms_server.audit import event_id
from kms_server.audit.journal import Journal
from kms_server.audit.ledger import Ledger
from kms_server.audit.log import AuditLog
from kms_server.audit.log_size import Log, Part
from kms_server.audit.lookup import stream
from kms_server.audit.matching import Filter
from kms_server.audit.places import sources
from kms_server.audit.pruning import Plan, Pruner
from kms_server.audit.record import Row
from kms_server.audit.sealing import seal
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.table_log import TableLog
from kms_server.clock import DAY, iso_seconds
from kms_server.config import Limits
from kms_server.storage.audit_tables import audit_data_events, audit_events
from kms_server.storage.audit_writers import Head
from kms_server.storage.database import Database
from tests.databases import Place
from tests.unit.audit.audit_rows import CHAIN_KEY, row
from tests.unit.audit.test_record import event

NOW = 1_800_000_000.0
_ROWS_OF_A_SEGMENT = 10
_ROWS_AT_ONCE = 4


def days_ago(days: float) -> str:
    """The smallest event id of that time."""
    return event_id.floor(NOW - days * DAY)


class Scene:
    """A log of 10 rows a segment, and a pruner of 4 rows a transaction that notes its stubs."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        embedded = database.engine.dialect.name == "sqlite"
        self.directory = directory
        self.segments = directory / "audit" if embedded else None
        self.data_segments = directory / "audit" / "data" if embedded else None
        if self.data_segments is not None:
            self.data_segments.mkdir(parents=True, exist_ok=True)
        self.log = Log(
            database, (Part(audit_events, self.segments), Part(audit_data_events, self.data_segments))
        )
        self.stubs: list[tuple[dict[str, Head], list[str]]] = []
        self.ledger = Ledger(CHAIN_KEY)

    def appending(self, *, data: bool = False) -> AuditLog:
        """A log as a worker has it."""
        directory = self.data_segments if data else self.segments
        if directory is None:
            return TableLog(self.database.engine, audit_data_events if data else audit_events, CHAIN_KEY)
        return SegmentLog(directory, Limits(segment_rows=_ROWS_OF_A_SEGMENT), CHAIN_KEY)

    def write(
        self, count: int, days: float, *, data: bool = False, log: AuditLog | None = None, **of: Any
    ) -> list[Row]:
        """Rows of so many days ago, a millisecond apart, in batches of two; full segments are sealed."""
        appending = log or self.appending(data=data)
        rows = [dated(days, number, **of) for number in range(count)]
        for start in range(0, count, 2):
            appending.append(rows[start : start + 2])
        if log is None:
            appending.close()
        for directory in (self.segments, self.data_segments):
            if directory is not None:
                seal(directory)
        return rows

    def mutate(self, count: int, days: float) -> list[str]:
        """Records of mutations; their ids."""
        ids = [event_id.new(NOW - days * DAY + number / 1000) for number in range(count)]
        for one in ids:
            with self.database.write() as tx:
                self.ledger.add(tx.connection, event(event_id=one))
        return ids

    def pruner(self) -> Pruner:
        """What prunes the log."""

        def note(pruned: Any, gone: Sequence[str]) -> None:
            self.stubs.append((dict(pruned), list(gone)))

        return Pruner(self.log, note, rows=_ROWS_AT_ONCE, lock=self.directory / "pruning.lock")

    def prune(self, days: float | None = None, most: int | None = None, **asked: Any) -> int:
        """Prune what is older, or exceeds a size; how many rows went."""
        pruner, cutoff = self.pruner(), "" if days is None else days_ago(days)
        plan = planned(pruner, cutoff, most, **asked)
        freed = sum(one.rows for one in pruner.carry_out(plan))
        pruner.clear_remains()
        pruner.forget_positions()
        return freed

    def steps(self, days: float) -> Iterator[object]:
        """Pruning, step by step."""
        pruner = self.pruner()
        return pruner.carry_out(planned(pruner, days_ago(days), None))

    def journal(self, *, data: bool = False) -> Journal:
        """The chains."""
        return Journal(
            self.database.engine, audit_data_events if data else audit_events,
            self.data_segments if data else self.segments,
        )  # fmt: skip

    def ids(self, *, data: bool = False) -> list[str]:
        """The event ids that a lookup finds."""
        places = sources(self.database.engine, self.data_segments if data else self.segments, data=data)
        return [one.event_id for one in stream(places, Filter())]

    def in_table(self) -> int:
        """How many management events the shared database has."""
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(audit_events)).scalar_one()

    def files(self) -> list[str]:
        """The names of all files of segments."""
        directories = [one for one in (self.segments, self.data_segments) if one is not None]
        return sorted(path.name for one in directories for path in one.iterdir() if path.is_file())


def dated(days: float, number: int = 0, **changes: Any) -> Row:
    """A row of so many days ago."""
    when = NOW - days * DAY + number / 1000
    identifier = event_id.new(when)
    record = {"eventTime": iso_seconds(when), "requestID": f"request {identifier}"}
    return row(number, **{"event_id": identifier, "record": json.dumps(record)} | changes)


def planned(pruner: Pruner, cutoff: str, most: int | None, **asked: Any) -> Plan:
    """A whole plan."""
    planning = pruner.plan(cutoff, most, **asked)
    while True:
        try:
            next(planning)
        except StopIteration as end:
            plan: Plan = end.value
            return plan


if __name__ == "__main__":
    opened = Place.of(sys.argv[2:])
    scene = Scene(opened.open(), opened.directory)
    pruner_here = scene.pruner()
    print(sum(one.rows for one in pruner_here.carry_out(planned(pruner_here, sys.argv[1], None))))  # noqa: T201
