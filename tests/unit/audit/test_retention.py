"""When pruning is due, and what health says of the log's size."""

from pathlib import Path

import pytest

from kms_server.audit.log_size import Log, Part
from kms_server.audit.pruning import BackupUnderWay
from kms_server.audit.retention import (
    Policy,
    Retention,
    disk_warning,
    size_warning,
    undelivered_warning,
)
from kms_server.clock import DAY, Clock, real_now
from kms_server.files import locked
from kms_server.storage import audit_positions, trails
from kms_server.storage.audit_tables import audit_events
from kms_server.storage.database import Database
from tests.databases import Place
from tests.unit.audit.pruning_scene import NOW, Scene
from tests.unit.audit.test_pruning import TRAIL


@pytest.fixture
def scene(database: Database, place: Place) -> Scene:
    return Scene(database, place.directory)


def test_age_follows_the_clock_of_the_service(scene: Scene) -> None:
    scene.write(20, days=0)
    lead = NOW - real_now()
    for days, left in ((89, 20), (91, 0)):
        clock = Clock(lead + days * DAY)
        for _ in Retention(scene.pruner(), Policy(90 * DAY, 0), clock, 600.0).prune():
            pass
        assert len(scene.ids()) == left


def test_it_is_due_at_first_and_then_in_its_turn(scene: Scene) -> None:
    retention = Retention(scene.pruner(), Policy(90 * DAY, 0), Clock(NOW - real_now()), 600.0)
    for left in (0, 20):
        scene.write(20, days=100)
        list(retention.prune())
        assert len(scene.ids()) == left


def test_nothing_is_pruned_while_a_backup_is_made(scene: Scene) -> None:
    scene.write(20, days=100)
    retention = Retention(scene.pruner(), Policy(90 * DAY, 0), Clock(NOW - real_now()), 0.0)
    with locked(scene.directory / "pruning.lock"):
        list(retention.prune())
        with pytest.raises(BackupUnderWay):
            scene.prune(days=90)
    assert (len(scene.ids()), scene.stubs) == (20, [])
    list(retention.prune())
    assert scene.ids() == []


def test_no_limit_keeps_all(scene: Scene) -> None:
    scene.write(20, days=1_000)
    list(Retention(scene.pruner(), Policy(0, 0), Clock(NOW - real_now()), 600.0).prune())
    assert len(scene.ids()) == 20


def test_records_that_are_not_delivered_are_told_of(scene: Scene) -> None:
    scene.write(40, days=1)
    with scene.database.write() as tx:
        trails.add(tx, TRAIL)
    size, pruner = scene.log.size(), scene.pruner()

    def said(limit: int) -> str | None:
        return undelivered_warning(scene.log, pruner, Policy(0, limit))

    assert said(2 * size) is None
    assert "are not delivered yet" in (said(size) or "")
    assert said(0) is None
    with scene.database.write() as tx:
        heads = scene.journal().heads()
        audit_positions.put(
            tx.connection, TRAIL.trail_id, {writer: head.seq for writer, head in heads.items()}
        )
    assert said(size) is None


def test_a_log_beyond_its_limit_is_told_of(scene: Scene) -> None:
    scene.write(40, days=1)
    size = scene.log.size()
    assert size_warning(scene.log, Policy(0, size)) is None
    assert size_warning(scene.log, Policy(0, 0)) is None
    assert "larger than its limit by 100%" in (size_warning(scene.log, Policy(0, size // 2)) or "")


def test_a_disk_is_told_of_where_a_day_would_fill_it(database: Database, tmp_path: Path) -> None:
    log = Log(database, (Part(audit_events, tmp_path),))
    assert disk_warning(log) is None
    with (tmp_path / "0123456789abcdef.db").open("wb") as file:
        file.truncate(2**42)  # takes no room
    assert "MiB left" in (disk_warning(log) or "")
