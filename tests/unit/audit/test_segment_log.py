"""A log that makes its next segment ready, and closes the full one, beside the batches."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest
from pysqlite3 import dbapi2

from kms_server.audit.sealing import seal
from kms_server.audit.segment import Segment
from kms_server.audit.segment_log import SegmentLog, recover
from kms_server.audit.segments import is_full, lock, segment_files
from kms_server.config import Limits
from tests.functional.processes import Module
from tests.unit.audit.audit_rows import CHAIN_KEY, row, stored

LIMITS = Limits(segment_rows=20, audit_deadline=0.2)
WRITER = "tests.unit.audit.segment_writer"


@pytest.fixture
def aside() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def written(log: SegmentLog, count: int) -> list[str]:
    """The ids of so many rows, each a batch, that are in the databases."""
    rows = [row(number) for number in range(count)]
    for one in rows:
        put_off = log.append([one])
    if put_off is not None:
        put_off()
    return [one.event_id for one in rows]


def is_free(path: Path) -> bool:
    """Whether nobody owns a segment."""
    if (descriptor := lock(path)) is not None:
        os.close(descriptor)
    return descriptor is not None


def sizes(directory: Path) -> list[int]:
    """How many rows each segment has."""
    return sorted(len(stored_in(path)) for path in segment_files(directory))


def stored_in(path: Path) -> list[tuple[int]]:
    """The numbers of a segment's rows; none where its owner was killed before it had a table."""
    connection = dbapi2.connect(str(path))
    found: list[tuple[int]] = []
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_events'").fetchone():
        found = connection.execute("SELECT seq FROM audit_events ORDER BY rowid").fetchall()
    connection.close()
    return found


def test_every_row_is_stored_once_whatever_segment_it_comes_to(tmp_path: Path, aside: Executor) -> None:
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY, aside)
    identifiers = written(log, 95)
    log.close()
    assert stored(tmp_path) == identifiers
    # The last was 15 rows long when its successor was made ready.
    assert sizes(tmp_path) == [0, 15, 20, 20, 20, 20]
    assert sorted(map(is_full, segment_files(tmp_path))) == [False, False, True, True, True, True]
    assert all(map(is_free, segment_files(tmp_path)))
    seal(tmp_path)
    assert len(list(tmp_path.glob("*.sealed"))) == 4
    assert stored(tmp_path) == identifiers


def test_what_was_made_ready_and_not_used_is_the_next_log_s(tmp_path: Path, aside: Executor) -> None:
    identifiers: list[str] = []
    for _ in range(6):
        log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY, aside)
        identifiers += written(log, 16)
        log.close()
    assert stored(tmp_path) == sorted(identifiers)
    assert len(segment_files(tmp_path)) <= 7


def test_a_log_has_no_more_than_the_next_one_ready(tmp_path: Path, aside: Executor) -> None:
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY, aside)
    written(log, 19)
    aside.submit(int).result()
    assert sizes(tmp_path) == [0, 19]
    assert not any(map(is_free, segment_files(tmp_path)))
    log.close()


def test_a_next_one_that_cannot_be_made_ready_costs_no_batch(tmp_path: Path, aside: Executor) -> None:
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY, aside)
    identifiers = written(log, 10)
    damaged = tmp_path / "0.db"
    damaged.write_bytes(b"no database" * 1_000)
    identifiers += written(log, 30)
    log.close()
    damaged.unlink()
    assert stored(tmp_path) == sorted(identifiers)


def test_a_file_without_room_costs_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(log := SegmentLog(tmp_path, LIMITS, CHAIN_KEY), 1)
    log.close()
    (first,) = segment_files(tmp_path)

    def fails_there(descriptor: int) -> None:
        if str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith(str(first)):
            raise OSError(errno.EIO, "no room")

    monkeypatch.setattr("kms_server.audit.segment.os.fsync", fails_there)
    with pytest.raises(OSError, match="no room"):
        log.append([row()])
    assert is_free(first)
    written(log, 2)
    log.close()
    assert sizes(tmp_path) == [1, 2]


def test_a_failure_turns_to_the_next_one(tmp_path: Path, aside: Executor) -> None:
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY, aside)
    identifiers = written(log, 17)
    aside.submit(int).result()
    (current,) = [path for path in segment_files(tmp_path) if stored_in(path)]
    stranger = dbapi2.connect(str(current), isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    waiting, lost = row(), [row() for _ in range(40)]
    log.append([waiting])
    with pytest.raises(dbapi2.OperationalError):
        log.append(lost)
    identifiers += written(log, 2)
    assert sizes(tmp_path) == [2, 17]
    stranger.close()
    recover(tmp_path, CHAIN_KEY, LIMITS)
    log.close()
    assert stored(tmp_path) == sorted([*identifiers, waiting.event_id])
    assert sizes(tmp_path) == [2, 18]


def test_a_full_segment_that_cannot_be_closed_fails_nothing(
    tmp_path: Path, aside: Executor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(path: Path) -> None:
        raise OSError(28, "full", str(path))

    monkeypatch.setattr("kms_server.audit.segment.mark_full", fails)
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY, aside)
    identifiers = written(log, 25)
    log.close()
    assert stored(tmp_path) == sorted(identifiers)
    assert all(map(is_free, segment_files(tmp_path)))
    assert "cannot be closed: OSError" in caplog.text


@pytest.mark.parametrize("is_copied_aside", [False, True])
def test_the_write_ahead_log_has_its_blocks_before_the_first_row(
    tmp_path: Path, aside: Executor, *, is_copied_aside: bool
) -> None:
    path = tmp_path / "one.db"
    path.touch(mode=0o600)
    owned = lock(path)
    assert owned is not None
    segment = Segment(path, owned, CHAIN_KEY, 1.0, aside if is_copied_aside else None)
    log = path.with_suffix(".db-wal")
    before = log.stat()
    for start in range(0, 3_000, 100):
        segment.append([row(number, record="x" * 1_000) for number in range(start, start + 100)])
    assert (log.stat().st_size, log.stat().st_blocks) == (before.st_size, before.st_blocks)
    assert before.st_blocks * 512 >= before.st_size
    segment.store()
    assert stored_in(path)[-1] == (3_000,)
    segment.close()


@pytest.mark.parametrize("rows", [1, 700])
def test_room_that_was_not_used_is_no_row(tmp_path: Path, rows: int) -> None:
    """What a killed owner leaves: a log of zeros behind its last row, or behind rows that are in the database by now."""
    path = tmp_path / "one.db"
    path.touch(mode=0o600)
    owned = lock(path)
    assert owned is not None
    segment = Segment(path, owned, CHAIN_KEY, 1.0)
    for number in range(rows):
        segment.append([row(number, record="x" * 1_000)])
    left = tmp_path / "left"
    left.mkdir()
    for file in (path, path.with_suffix(".db-wal")):
        (left / file.name).write_bytes(file.read_bytes())
    segment.close()
    assert stored_in(left / path.name) == [(number + 1,) for number in range(rows)]


def test_what_was_acknowledged_survives_a_writer_killed_at_any_change(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for lines in (31, 57, 83):
        with Module(WRITER, "changes", str(tmp_path)) as writer:
            acknowledged += [writer.stdout.readline().strip() for _ in range(lines)]
            writer.kill()
            acknowledged += writer.stdout.read().split()
    recover(tmp_path, CHAIN_KEY, LIMITS)
    kept = stored(tmp_path)
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))
    for path in segment_files(tmp_path):
        assert stored_in(path) == [(number,) for number in range(1, len(stored_in(path)) + 1)]


def test_sealing_rests_after_each_step_unless_segments_pile_up(tmp_path: Path) -> None:
    rests: list[float] = []
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    written(log, 40)
    seal(tmp_path, rests.append)
    assert len(rests) > 2 * 2
    assert all(seconds > 0 for seconds in rests)
    written(log, 100)
    rests.clear()
    seal(tmp_path, rests.append)
    log.close()
    assert not rests
    assert len(list(tmp_path.glob("*.sealed"))) == 7
