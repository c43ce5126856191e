"""A log with trails that deliver into directories, and a clock that is set by hand."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import structs

from kms_server.audit import event_id
from kms_server.audit.checkpoints import Checkpoints
from kms_server.audit.journal import Journal
from kms_server.audit.ledger import Ledger
from kms_server.audit.log import AuditLog
from kms_server.audit.record import Event, to_row
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.signing import SigningKeys
from kms_server.audit.table_log import TableLog
from kms_server.audit.trail.closing import Closer
from kms_server.audit.trail.delivery import PROBLEMS, Delivery, Written
from kms_server.audit.trail.directory import DirectoryDestination
from kms_server.audit.trail.planning import Planner
from kms_server.audit.trail.reading import Journals
from kms_server.config import Limits
from kms_server.storage import audit_positions, trails
from kms_server.storage.audit_tables import audit_data_events, audit_events
from kms_server.storage.database import Database
from kms_server.storage.trails import Trail
from tests.root_keys import root_of
from tests.unit.audit.audit_rows import ACCOUNT, CHAIN_KEY, REGION
from tests.unit.audit.test_record import event

NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z


class Scene:
    """`now` is the service's time; buckets are directories below `directory`."""

    def __init__(self, database: Database, directory: Path, *, most_bytes: int = 50_000_000) -> None:
        self.database = database
        self.directory = directory
        self.now = NOON
        self.segments = directory / "audit"
        self.segments.mkdir()
        embedded = database.engine.dialect.name == "sqlite"
        segments = self.segments if embedded else None
        self.management = Journal(database.engine, audit_events, segments)
        self.journals = Journals(self.management, Journal(database.engine, audit_data_events, None))
        self.log: AuditLog = (
            SegmentLog(self.segments, Limits(segment_rows=7), CHAIN_KEY)
            if embedded
            else TableLog(database.engine, audit_events, CHAIN_KEY)
        )
        self.ledger = Ledger(CHAIN_KEY)
        self.keys = SigningKeys(database, root_of(), CHAIN_KEY)
        self.planner = Planner(database, self.journals, lambda: self.now, most_bytes=most_bytes)
        self.delivery = Delivery(
            database,
            self.journals,
            self.planner,
            Closer(database, self.keys),
            self.destination,
            Checkpoints(database, self.journals, self.keys),
            lambda: self.now,
        )
        self.mutate()

    def destination(self, _trail: Trail, bucket: str) -> DirectoryDestination:
        return DirectoryDestination(self.directory / bucket)

    def begin(self, name: str = "main", **changes: Any) -> Trail:
        """A trail that records from now on."""
        trail = Trail(
            name, ACCOUNT, REGION, name, f"bucket-{name}", self.now, validation=True, logging=True, started_at=self.now
        )  # fmt: skip
        trail = replace(trail, **changes)
        heads = {one: head.seq for journal in self.journals for one, head in journal.heads().items()}
        with self.database.write() as tx:
            trails.add(tx, trail)
            audit_positions.put(tx.connection, trail.trail_id, heads)
        return trail

    def resume(self, trail: Trail, heads: Mapping[str, int]) -> None:
        """What StartLogging does of a trail that has delivered all."""
        with self.database.write() as tx:
            audit_positions.put(tx.connection, trail.trail_id, heads)

    def change(self, trail: Trail, **values: object) -> Trail:
        with self.database.write() as tx:
            trails.change(tx, trail.trail_id, **values)
        return self.again(trail)

    def again(self, trail: Trail) -> Trail:
        """The trail as it is stored."""
        with self.database.read() as connection:
            found = trails.get(connection, trail.trail_id)
        assert found is not None
        return found

    def _event(self, **changes: Any) -> Event:
        made = event(**({"time": self.now, "account": ACCOUNT, "region": REGION} | changes))
        return structs.replace(made, event_id=event_id.new(made.time))

    def read(self, count: int = 1, **changes: Any) -> list[str]:
        """Calls that change nothing; their event ids."""
        made = [self._event(**changes) for _ in range(count)]
        for one in made:
            self.log.append([to_row(one)])
        return [one.event_id for one in made]

    def mutate(self, **changes: Any) -> str:
        """A call that changes something; its event id."""
        made = self._event(**changes)
        with self.database.write() as tx:
            self.ledger.add(tx.connection, made)
        return made.event_id

    def attend(self, trail: Trail, *, digest_at_once: bool = False) -> list[Written]:
        """All steps of a trail's delivery."""
        steps = self.delivery.attend(self.again(trail), digest_at_once=digest_at_once)
        return [one for one in steps if one is not None]

    def fails(self, trail: Trail) -> str:
        """The code of the problem with which the delivery ends."""
        try:
            self.attend(trail)
        except PROBLEMS as problem:
            return problem.code
        raise AssertionError("it delivers")

    def delivered(self, trail: Trail, region: str = REGION) -> list[str]:
        """The event ids in all log files of a Region, as often as they are there."""
        place = self.destination(trail, trail.bucket)
        keys = place.keys(f"AWSLogs/{ACCOUNT}/CloudTrail/{region}/")
        found = [json.loads(gzip.decompress(place.get(key).body))["Records"] for key in keys]
        return sorted(one["eventID"] for records in found for one in records)

    def digests(self, trail: Trail, region: str = REGION) -> list[Mapping[str, Any]]:
        """The digests of a Region in the order of their keys."""
        place = self.destination(trail, trail.bucket)
        keys = place.keys(f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{region}/")
        return [json.loads(gzip.decompress(place.get(key).body)) for key in keys]
