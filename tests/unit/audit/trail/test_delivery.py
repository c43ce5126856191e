"""What a trail delivers: each record once, whatever comes between."""

import gzip
import json
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.audit.trail.closing import HOUR
from kms_server.audit.trail.reading import LogUnreadable
from kms_server.storage import trail_digests, trail_files, trails
from kms_server.storage.database import Database
from tests.unit.audit.audit_rows import ACCOUNT, REGION
from tests.unit.audit.trail.scene import NOON, Scene

ELSEWHERE = "eu-central-1"


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Scene:
    return Scene(database, tmp_path)


def test_what_came_before_is_not_delivered_and_nothing_twice(scene: Scene) -> None:
    scene.read(3)
    trail = scene.begin()
    wanted = scene.read(10)
    wanted.append(scene.mutate())
    assert [one.kind for one in scene.attend(trail)] == ["log file"]
    assert scene.delivered(trail) == sorted(wanted)
    assert scene.attend(trail) == []
    wanted += scene.read(5)
    scene.attend(trail)
    assert scene.delivered(trail) == sorted(wanted)
    found = scene.again(trail)
    assert (found.delivered_at, found.attempted_at, found.delivery_error) == (NOON, NOON, None)


def test_a_log_file_is_named_and_made_as_cloudtrail_does(scene: Scene) -> None:
    trail = scene.begin(prefix="logs/kms")
    scene.now += 90
    first = scene.read(time=scene.now - 30)
    second = scene.read(time=scene.now)
    [written] = scene.attend(trail)
    start = f"bucket-main/logs/kms/AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/11/21/{ACCOUNT}_CloudTrail_{REGION}_20261121T1201Z_"
    assert written.place.startswith(start)
    token = written.place.removeprefix(start).removesuffix(".json.gz")
    assert len(token) == 16
    assert token.isalnum()
    body = (scene.directory / written.place).read_bytes()
    content = gzip.decompress(body)
    assert content.startswith(b'{"Records":[{"eventVersion":')
    assert content.index(first[0].encode()) < content.index(second[0].encode())
    assert body[4:8] == bytes(4)


def test_only_what_is_of_the_account_and_its_region(scene: Scene) -> None:
    trail = scene.begin()
    scene.read(2, account="999999999999")
    scene.read(2, region=ELSEWHERE)
    assert scene.attend(trail) == []
    [wanted] = scene.read()
    scene.attend(trail)
    assert scene.delivered(trail) == [wanted]


def test_all_regions_have_files_and_chains_of_their_own(scene: Scene) -> None:
    trail = scene.begin(multi_region=True)
    here, there = scene.read(3), scene.read(2, region=ELSEWHERE)
    scene.attend(trail, digest_at_once=True)
    assert scene.delivered(trail) == sorted(here)
    assert scene.delivered(trail, ELSEWHERE) == sorted(there)
    for region in (REGION, ELSEWHERE):
        [digest] = scene.digests(trail, region)
        assert f"/CloudTrail-Digest/{region}/" in digest["digestS3Object"]
        assert f"_CloudTrail-Digest_{region}_main_{REGION}_" in digest["digestS3Object"]
        assert len(digest["logFiles"]) == 1


def test_a_long_backlog_becomes_several_files(database: Database, tmp_path: Path) -> None:
    scene = Scene(database, tmp_path, most_bytes=5_000)
    trail = scene.begin()
    wanted = scene.read(30)
    written = scene.attend(trail)
    assert len(written) > 1
    for one in written:
        assert len(gzip.decompress((scene.directory / one.place).read_bytes())) < 5_100
    assert scene.delivered(trail) == sorted(wanted)


def test_a_file_that_was_not_confirmed_is_written_again(scene: Scene) -> None:
    trail = scene.begin()
    wanted = scene.read(4)
    list(scene.planner.plan(trail))
    with scene.database.read() as connection:
        [file] = trail_files.pending(connection, trail.trail_id)
    scene.destination(trail, file.bucket).put(file.object_key, b"half of i", {})
    wanted += scene.read(2)
    assert file.object_key in scene.attend(trail)[0].place
    assert scene.delivered(trail) == sorted(wanted)


def test_who_plans_at_the_same_time_plans_nothing_twice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = scene.begin()
    wanted = scene.read(4)
    read = scene.planner._read

    def overtaken(*arguments: Any) -> Any:
        pile = read(*arguments)
        monkeypatch.undo()
        list(scene.planner.plan(trail))
        return pile

    monkeypatch.setattr(scene.planner, "_read", overtaken)
    scene.attend(trail)
    assert scene.delivered(trail) == sorted(wanted)


def test_several_deliver_at_the_same_time(scene: Scene) -> None:
    trail = scene.begin()
    wanted: list[str] = []

    def attend() -> None:
        for _ in range(8):
            scene.attend(trail, digest_at_once=True)

    with ThreadPoolExecutor(3) as threads:
        deliverers = [threads.submit(attend) for _ in range(3)]
        while not all(one.done() for one in deliverers):
            wanted += scene.read(2)
            scene.now += 1
    for one in deliverers:
        one.result()
    scene.attend(trail, digest_at_once=True)
    assert scene.delivered(trail) == sorted(wanted)
    digests = scene.digests(trail)
    listed = Counter(one["s3Object"] for digest in digests for one in digest["logFiles"])
    assert set(listed.values()) == {1}
    with scene.database.read() as connection:
        assert set(listed) == {one.object_key for one in trail_files.of_trail(connection, trail.trail_id)}
    for before, digest in pairwise(digests):
        assert digest["previousDigestS3Object"] == before["digestS3Object"]


def test_a_dead_destination_is_told_and_holds_back_nothing(scene: Scene) -> None:
    trail = scene.begin()
    wanted = scene.read(2)
    (scene.directory / "bucket-main").write_text("in the way")
    assert scene.fails(trail) == "NoSuchBucket"
    found = scene.again(trail)
    assert (found.delivery_error, found.attempted_at, found.delivered_at) == ("NoSuchBucket", NOON, None)
    wanted += scene.read(2)
    scene.now += 7_200
    assert scene.fails(trail) == "NoSuchBucket"
    (scene.directory / "bucket-main").unlink()
    kinds = [one.kind for one in scene.attend(trail)]
    assert kinds == ["log file", "log file", "digest"]
    assert scene.delivered(trail) == sorted(wanted)
    assert scene.again(trail).delivery_error is None


def test_what_is_missing_in_the_log_is_told_and_what_is_not_is_delivered(scene: Scene) -> None:
    trail = scene.begin()
    scene.read(3)
    list(scene.planner.plan(trail))
    if scene.log.__class__.__name__ == "SegmentLog":
        scene.log.close()
        shutil.rmtree(scene.segments)
        scene.segments.mkdir()
    else:
        with scene.database.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM audit_events WHERE writer <> 'main'")
    wanted = scene.mutate()
    assert scene.fails(trail) == "AuditLogUnreadable"
    assert scene.again(trail).delivery_error == "AuditLogUnreadable"
    assert scene.delivered(trail) == [wanted]
    assert scene.fails(trail) == "AuditLogUnreadable"


def test_a_damaged_segment_holds_back_nothing_but_itself(scene: Scene) -> None:
    if not isinstance(scene.log, SegmentLog):
        pytest.skip("segments are embedded")
    trail = scene.begin()
    inside = scene.read(7)
    (segment,) = segment_files(scene.segments)
    whole = segment.read_bytes()
    segment.write_bytes(b"\xff" * len(whole))
    wanted = sorted([*scene.read(3), scene.mutate()])
    with pytest.raises(LogUnreadable, match=segment.stem):
        scene.attend(trail)
    scene.now += HOUR
    assert scene.fails(trail) == "AuditLogUnreadable"
    assert scene.again(trail).delivery_error == "AuditLogUnreadable"
    assert scene.delivered(trail) == wanted
    assert len(scene.digests(trail)) == 1
    scene.change(trail, logging=False, stopped_at=scene.now)
    assert scene.fails(trail) == "AuditLogUnreadable"
    segment.write_bytes(whole)
    scene.attend(trail)
    assert scene.again(trail).delivery_error is None
    assert scene.delivered(trail) == sorted([*wanted, *inside])


def test_selectors_are_those_of_when_a_file_was_planned(scene: Scene) -> None:
    everything = {
        "ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": [],
    }  # fmt: skip
    trail = scene.begin(selectors=json.dumps({"EventSelectors": [everything]}))
    wanted = scene.read(2)
    list(scene.planner.plan(trail))
    scene.change(trail, selectors=json.dumps({"EventSelectors": []}))
    scene.attend(trail)
    assert scene.delivered(trail) == sorted(wanted)
    with scene.database.read() as connection:
        [file] = trail_files.of_trail(connection, trail.trail_id)
    assert file.selectors == trail.selectors


def test_a_stopped_trail_delivers_what_it_had_recorded(scene: Scene) -> None:
    trail = scene.begin()
    wanted = scene.read(3)
    scene.now += 10
    scene.change(trail, logging=False, stopped_at=scene.now)
    scene.now += 10
    scene.read(3)
    scene.attend(trail)
    assert scene.delivered(trail) == sorted(wanted)
    [final] = scene.digests(trail)
    assert len(final["logFiles"]) == 1
    scene.read(3)
    assert scene.attend(trail) == []


def test_a_deleted_trail_goes_when_all_is_delivered(scene: Scene) -> None:
    trail = scene.begin()
    wanted = scene.read(3)
    scene.change(trail, logging=False, stopped_at=scene.now, deleted_at=scene.now)
    (scene.directory / "bucket-main").write_text("in the way")
    assert scene.fails(trail) == "NoSuchBucket"
    assert scene.again(trail).deleted_at == scene.now
    (scene.directory / "bucket-main").unlink()
    assert [one.kind for one in scene.attend(trail)] == ["log file", "digest"]
    assert scene.delivered(trail) == sorted(wanted)
    with scene.database.read() as connection:
        assert trails.every(connection) == []


def test_a_deleted_trail_goes_after_thirty_days(scene: Scene) -> None:
    trail = scene.begin()
    scene.read(3)
    scene.change(trail, logging=False, stopped_at=scene.now, deleted_at=scene.now)
    (scene.directory / "bucket-main").write_text("in the way")
    scene.now += 31 * 86_400
    assert scene.fails(trail) == "NoSuchBucket"
    with scene.database.read() as connection:
        assert trails.every(connection) == []
        assert trail_files.of_trail(connection, trail.trail_id) == []
        assert trail_digests.of_trail(connection, trail.trail_id) == []
