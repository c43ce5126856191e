"""Whose turn it is, and what those who look after a server are told."""

from dataclasses import replace
from pathlib import Path

import pytest

from kms_server.audit.trail import schedule
from kms_server.audit.trail.backlog import backlogs, delivery_warning
from kms_server.audit.trail.directory import DirectoryDestination
from kms_server.audit.trail.schedule import Schedule
from kms_server.storage import trails
from kms_server.storage.database import Database
from kms_server.storage.trails import Trail
from tests.unit.audit.trail.scene import Scene

NEVER = 1e9


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Scene:
    return Scene(database, tmp_path)


def run(chore: Schedule) -> int:
    """One call of the chore; how many steps it had."""
    return len(list(chore.run()))


def test_a_trail_waits_for_its_time(scene: Scene) -> None:
    trail = scene.begin()
    chore = Schedule(scene.delivery, NEVER)
    first = scene.read(2)
    assert run(chore)
    assert scene.delivered(trail) == sorted(first)
    second = scene.read(2)
    assert run(chore) == 0
    at_once = Schedule(scene.delivery, 0.0)
    assert run(at_once)
    assert scene.delivered(trail) == sorted(first + second)
    assert run(at_once) == 0


def test_what_is_due_by_the_services_clock_does_not_wait(scene: Scene) -> None:
    trail = scene.begin()
    chore = Schedule(scene.delivery, NEVER)
    scene.read()
    run(chore)
    assert scene.digests(trail) == []
    scene.now += 3_600
    run(chore)
    assert len(scene.digests(trail)) == 1
    scene.now += 3_599
    assert run(chore) == 0


def test_a_change_of_a_trail_does_not_wait(scene: Scene) -> None:
    trail = scene.begin()
    chore = Schedule(scene.delivery, NEVER)
    run(chore)
    wanted = scene.read(2)
    scene.change(trail, logging=False, stopped_at=scene.now)
    run(chore)
    assert scene.delivered(trail) == sorted(wanted)


def test_a_long_backlog_does_not_wait(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_MANY_ROWS", 5)
    monkeypatch.setattr(schedule, "_LOOK_SECONDS", 0.0)
    trail = scene.begin()
    chore = Schedule(scene.delivery, NEVER)
    run(chore)
    wanted = scene.read(5)
    assert run(chore) == 0
    wanted += scene.read(1)
    run(chore)
    assert scene.delivered(trail) == sorted(wanted)


def test_one_that_fails_pauses_and_the_others_go_on(scene: Scene) -> None:
    dead, alive = scene.begin("dead"), scene.begin("alive")
    (scene.directory / "bucket-dead").write_text("in the way")
    chore = Schedule(scene.delivery, 0.0)
    wanted = []
    for _ in range(3):
        wanted += scene.read(2)
        run(chore)
        assert scene.delivered(alive) == sorted(wanted)
    left = {one.trail.name: one for one in backlogs(scene.database, scene.planner)}
    assert (left["dead"].files, left["dead"].rows, left["dead"].error) == (1, 4, "NoSuchBucket")
    assert (left["alive"].files, left["alive"].rows, left["alive"].error) == (0, 0, None)
    assert scene.again(dead).delivery_error == "NoSuchBucket"


def test_pauses_grow_to_ten_minutes() -> None:
    turn = schedule._Turn(())
    pauses = []
    for _ in range(9):
        turn.put_off()
        pauses.append(turn.pause)
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600]


def test_what_nobody_expects_holds_up_nobody(scene: Scene) -> None:
    for name in ("a-broken", "b-whole"):
        scene.begin(name)
    find = scene.destination

    def destination(trail: Trail, bucket: str) -> DirectoryDestination:
        if trail.name == "a-broken":
            raise RuntimeError
        return find(trail, bucket)

    delivery = replace(scene.delivery, destinations=destination)
    wanted = scene.read(2)
    run(Schedule(delivery, 0.0))
    with scene.database.read() as connection:
        [_, whole] = trails.every(connection)
    assert scene.delivered(whole) == sorted(wanted)


def test_health_tells_of_errors_and_of_what_waits_long(scene: Scene) -> None:
    assert delivery_warning(scene.database, scene.now) is None
    trail = scene.begin()
    scene.read()
    list(scene.planner.plan(trail))
    assert delivery_warning(scene.database, scene.now + 3_600) is None
    told = delivery_warning(scene.database, scene.now + 3_601)
    assert told is not None
    assert "1 log files that wait for more than an hour" in told
    (scene.directory / "bucket-main").write_text("in the way")
    scene.fails(trail)
    assert delivery_warning(scene.database, scene.now) == (
        f"the trail {trail.arn} cannot deliver to bucket-main: NoSuchBucket"
    )
