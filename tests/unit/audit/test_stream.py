"""The stream: who hands over, where it goes on, and what does not stop it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_server.audit.journal import Journal
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.streams import stream as streams
from kms_server.audit.streams.sink import Line, SinkError
from kms_server.audit.streams.stream import READER, Stream
from kms_server.config import Limits
from kms_server.errors import KMSInternalException
from kms_server.storage import audit_positions, leases, settings
from kms_server.storage.audit_tables import audit_events
from kms_server.storage.database import Database
from tests.unit.audit.audit_rows import CHAIN_KEY, row


class Lines:
    """A collector in memory; `refuses` makes it deaf, `delay` slow."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.refuses = False
        self.delay = 0.0

    def write(self, line: Line) -> None:
        if self.refuses:
            raise SinkError("nobody reads")
        time.sleep(self.delay)
        self.ids.append(line.event_id)
        self.texts.append(line.text)

    def close(self) -> None:
        """Nothing is open."""


class Scene:
    """A log, and streams of it to one collector."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self.directory = directory
        self.lines = Lines()
        self.log = SegmentLog(directory, Limits(), CHAIN_KEY)

    def stream(self, holder: str) -> Stream:
        """What a process of its own has."""
        journals = [Journal(self.database.engine, audit_events, self.directory)]
        made = Stream(self.database, journals, lambda: self.lines, holder)
        made.begin()
        return made

    def write(self, *numbers: int) -> list[str]:
        """Add records; their event ids."""
        rows = [row(number) for number in numbers]
        self.log.append(rows)
        return [one.event_id for one in rows]

    def expire(self) -> None:
        """Let the time of whoever has the lease be over."""
        with self.database.write() as tx:
            settings.put(tx, settings.STREAM_LEASE, "1.000 somebody else")


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Iterator[Scene]:
    directory = tmp_path / "segments"
    directory.mkdir()
    made = Scene(database, directory)
    yield made
    made.log.close()


def follow(stream: Stream) -> None:
    for _ in stream.follow():
        pass


def test_of_two_one_hands_over_and_the_other_goes_on(scene: Scene) -> None:
    one, other = scene.stream("one"), scene.stream("other")
    expected = scene.write(1, 2)
    follow(one)
    follow(other)
    assert scene.lines.ids == expected
    one.close()
    expected += scene.write(3)
    follow(other)
    follow(one)
    assert scene.lines.ids == expected


def test_whoever_lost_the_lease_moves_no_position(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host may sleep, between any two steps, for longer than its lease lasts."""
    monkeypatch.setattr(streams, "_BATCH", 2)
    one, other = scene.stream("one"), scene.stream("other")
    scene.write(1, 2, 3, 4)
    steps = one.follow()
    next(steps)
    scene.expire()
    follow(other)
    follow(one)
    with scene.database.read() as connection:
        assert list(audit_positions.get(connection, READER).values()) == [4]
        assert leases.holder(connection, settings.STREAM_LEASE) == "other"
    scene.expire()
    before = list(scene.lines.ids)
    follow(one)
    assert scene.lines.ids == before


def test_a_slow_collector_is_told_in_steps_that_hold_the_lease(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_STEP_SECONDS", 0.0)
    monkeypatch.setattr(streams, "_LEASE_SECONDS", 0.0)
    scene.lines.delay = 0.01
    one = scene.stream("one")
    expected = scene.write(1, 2, 3)
    monkeypatch.setattr(streams, "_STEP_SECONDS", 0.001)
    assert len(list(one.follow())) == 3
    assert scene.lines.ids == expected


def test_what_was_not_noted_is_not_handed_over_again(scene: Scene) -> None:
    one = scene.stream("one")
    scene.write(1)
    follow(one)
    expected = [*scene.lines.ids, *scene.write(2)]
    scene.database.waits.patience = -1.0  # all transactions are late
    with pytest.raises(KMSInternalException):
        follow(one)
    scene.database.waits.patience = 60.0
    follow(one)
    assert scene.lines.ids == expected
    expected += scene.write(3)
    follow(one)
    assert scene.lines.ids == expected
    with scene.database.read() as connection:
        assert list(audit_positions.get(connection, READER).values()) == [3]


def test_a_problem_ends_with_the_lease(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_PATIENCE", 0.0)
    monkeypatch.setattr(streams, "_LEASE_SECONDS", 0.0)
    one = scene.stream("one")
    expected = scene.write(1)
    scene.lines.refuses = True
    next(one.follow())
    assert "1 records behind: nobody reads" in (one.problem or "")
    monkeypatch.setattr(streams, "_LEASE_SECONDS", 30.0)
    scene.lines.refuses = False
    follow(scene.stream("other"))
    follow(one)
    assert scene.lines.ids == expected
    assert one.problem is None


def test_what_is_damaged_is_passed_over_and_told(scene: Scene) -> None:
    one = scene.stream("one")
    changed, sound = row(1, record="{"), row(2)
    scene.log.append([changed, sound])
    damaged = scene.directory / "0123456789abcdef.db"
    damaged.write_bytes(b"no database" * 1000)
    follow(one)
    assert scene.lines.ids == [changed.event_id, sound.event_id]
    assert json.loads(scene.lines.texts[0]) == {"eventID": changed.event_id, "unreadable": True}
    assert "0123456789abcdef.db cannot be read" in (one.problem or "")
    damaged.unlink()
    follow(one)
    assert one.problem is None
