"""Small batches that are on disk and not in a database yet: what brings them there, and what a crash leaves of them."""

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from struct import Struct
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysqlite3 import dbapi2

from kms_server.audit import backlog, segment
from kms_server.audit.chain import COLUMNS, ChainKey, Linked
from kms_server.audit.group_commit import GroupCommit, wait
from kms_server.audit.log import PutOff
from kms_server.audit.record import Row
from kms_server.audit.sealing import seal
from kms_server.audit.segment_copies import copies
from kms_server.audit.segment_log import SegmentLog, recover
from kms_server.audit.segments import is_full, lock, mark_full, segment_files
from kms_server.audit.verification.findings import Severity
from kms_server.audit.verification.places import SegmentPlace
from kms_server.config import Limits
from kms_server.errors import OperatorError
from kms_server.storage.audit_writers import START, Head
from tests.functional.processes import Module
from tests.unit.audit.audit_rows import CHAIN_KEY, row, stored

LIMITS = Limits(segment_rows=1_000, audit_deadline=0.2)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SegmentLog]:
    """A log whose small batches wait until something but the time brings them into the database."""
    monkeypatch.setattr(segment, "_WAITING_SECONDS", 3_600.0)
    with ThreadPoolExecutor(1) as aside:
        one = SegmentLog(tmp_path, LIMITS, CHAIN_KEY, aside)
        yield one
        one.close()


def the_segment(directory: Path) -> Path:
    (path,) = segment_files(directory)
    return path


def kept(directory: Path) -> list[str]:
    """The ids in the databases, in the order of their numbers, whose links are all right."""
    found: list[str] = []
    for path in segment_files(directory):
        connection = dbapi2.connect(str(path))
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM audit_events ORDER BY rowid").fetchall()
        connection.close()
        head, batch = START, []
        for number, (*columns, writer, seq, link) in enumerate(rows, 1):
            assert (writer, seq) == (path.stem, number)
            batch.append(Row._make(columns))
            if link is not None:
                assert CHAIN_KEY.follows(writer, head, Linked(batch, Head(seq, link)))
                head, batch = Head(seq, link), []
        assert not batch
        found += [one[0] for one in rows]
    return found


def crashed(directory: Path, to: Path) -> Path:
    """What would be there if the process were killed now."""
    shutil.copytree(directory, to)
    return to


def appended(log: SegmentLog, *sizes: int) -> tuple[list[str], PutOff | None]:
    """The ids of batches of these sizes, and what the last of them has put off."""
    batches = [[row(number) for number in range(size)] for size in sizes]
    put_off = [log.append(batch) for batch in batches][-1]
    return [one.event_id for batch in batches for one in batch], put_off


def test_small_batches_wait_and_are_not_lost(tmp_path: Path, log: SegmentLog) -> None:
    first, put_off = appended(log, 3, 1, 32, 2)
    assert put_off is not None
    assert kept(tmp_path) == []
    left = crashed(tmp_path, tmp_path / "left")
    recover(left, CHAIN_KEY, LIMITS)
    assert kept(left) == first
    put_off()
    assert kept(tmp_path) == first
    assert not backlog.is_left(the_segment(tmp_path))
    put_off()
    assert kept(tmp_path) == first


@pytest.mark.parametrize("sizes", [(33,), (1, 1, 33), (30, 30, 4), (1,) * 64])
def test_many_rows_bring_all_that_waits_into_the_database(
    tmp_path: Path, log: SegmentLog, sizes: tuple[int, ...]
) -> None:
    identifiers, put_off = appended(log, *sizes)
    assert put_off is None
    assert kept(tmp_path) == identifiers


def test_nothing_waits_long(tmp_path: Path, log: SegmentLog, monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = appended(log, 1, 1)
    monkeypatch.setattr(segment, "_WAITING_SECONDS", 0.0)
    after, put_off = appended(log, 1)
    assert put_off is None
    assert kept(tmp_path) == before + after


def test_what_has_no_room_goes_into_the_database(tmp_path: Path, log: SegmentLog) -> None:
    large = [row(number, record="x" * 250_000) for number in range(6)]
    results = [log.append([one]) for one in large]
    assert [result is None for result in results] == [False, False, False, False, True, False]
    assert kept(tmp_path) == [one.event_id for one in large[:5]]


def test_batches_wait_while_the_write_ahead_log_is_copied(
    tmp_path: Path, aside: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "_MOST_PAGES", 1)
    one = segment.Segment(*owned(tmp_path / "one.db"), CHAIN_KEY, 1.0, aside)
    gate, batches = threading.Event(), [[row() for _ in range(40)] for _ in range(4)]
    aside.submit(gate.wait)
    one.append(batches[0])
    assert not one.is_behind
    one.append(batches[1])
    one.append(batches[2])
    assert kept(tmp_path) == [each.event_id for each in batches[0]]
    gate.set()
    aside.submit(int).result()
    one.append(batches[3])
    assert kept(tmp_path) == [each.event_id for batch in batches for each in batch]
    one.close()


class Failing:
    """A connection to a disk that is full when the write-ahead log is copied."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str) -> Any:
        if "PASSIVE" in statement:
            raise dbapi2.OperationalError("database or disk is full")
        return self._connection.execute(statement)


def test_a_write_ahead_log_that_cannot_be_copied_fails_no_batch(
    tmp_path: Path, aside: Executor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(segment, "_MOST_PAGES", 1)
    one = segment.Segment(*owned(tmp_path / "one.db"), CHAIN_KEY, 1.0, aside)
    monkeypatch.setattr(one, "_connection", Failing(one._connection))
    batches = [[row() for _ in range(40)] for _ in range(3)]
    for batch in batches:
        one.append(batch)
        aside.submit(int).result()
    assert kept(tmp_path) == [each.event_id for batch in batches for each in batch]
    assert caplog.text.count("cannot be copied: OperationalError") == 3
    one.close()


def test_a_log_that_is_closed_leaves_nothing(tmp_path: Path, log: SegmentLog) -> None:
    identifiers, _ = appended(log, 5)
    log.close()
    assert kept(tmp_path) == identifiers
    assert not backlog.is_left(the_segment(tmp_path))


def test_the_next_owner_goes_on_behind_what_was_left(tmp_path: Path, log: SegmentLog) -> None:
    before, _ = appended(log, 2, 3)
    left = crashed(tmp_path, tmp_path / "left")
    other = SegmentLog(left, LIMITS, CHAIN_KEY)
    after, _ = appended(other, 1)
    other.close()
    assert kept(left) == before + after


def test_what_is_in_the_database_is_not_stored_again(tmp_path: Path, log: SegmentLog) -> None:
    """A crash between the transaction and the note that nothing waits; the note is not synced, either."""
    before, put_off = appended(log, 2, 3)
    content = the_segment(tmp_path).with_suffix(".backlog").read_bytes()
    assert put_off is not None
    put_off()
    left = crashed(tmp_path, tmp_path / "left")
    the_segment(left).with_suffix(".backlog").write_bytes(content)
    recover(left, CHAIN_KEY, LIMITS)
    assert kept(left) == before
    assert not backlog.is_left(the_segment(left))


def test_what_stands_behind_the_newest_batch_is_passed_over(tmp_path: Path, log: SegmentLog) -> None:
    before, put_off = appended(log, 1, 1, 1, 1)
    assert put_off is not None
    put_off()
    after, _ = appended(log, 1)
    left = crashed(tmp_path, tmp_path / "left")
    recover(left, CHAIN_KEY, LIMITS)
    assert kept(left) == before + after


@given(st.data())
def test_whatever_happened_to_the_file_only_whole_batches_come_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("damaged")
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    with ThreadPoolExecutor(1) as aside:
        made = segment.Segment(*owned(directory / "one.db"), CHAIN_KEY, 1.0, aside)
        ends = [made.append([row() for _ in range(size)]) for size in sizes]
        made.close()
    file = directory / "one.backlog"
    content = bytearray(file.read_bytes())
    written = len(content.rstrip(b"\0"))
    place = data.draw(st.integers(0, written - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    recover(directory, CHAIN_KEY, LIMITS)
    assert len(kept(directory)) in {0, *ends[:-1]}


def owned(path: Path) -> tuple[Path, int]:
    """A fresh segment of ours."""
    path.touch(mode=0o600)
    descriptor = lock(path)
    assert descriptor is not None
    return path, descriptor


def test_what_was_acknowledged_survives_a_killed_writer(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for lines in (7, 64, 211):
        with Module("tests.unit.audit.segment_writer", "deferred", str(tmp_path)) as writer:
            acknowledged += [writer.stdout.readline().strip() for _ in range(lines)]
            writer.kill()
            acknowledged += writer.stdout.read().split()
        recover(tmp_path, CHAIN_KEY, LIMITS)
        found = kept(tmp_path)
        assert set(acknowledged) <= set(found)
        assert len(found) == len(set(found))


@pytest.mark.parametrize("changed", ["key", "segment"])
def test_batches_that_do_not_follow_are_kept_beside(
    tmp_path: Path, log: SegmentLog, changed: str, caplog: pytest.LogCaptureFixture
) -> None:
    before, put_off = appended(log, 2)
    assert put_off is not None
    put_off()
    appended(log, 2)
    left = crashed(tmp_path, tmp_path / "left")
    key = CHAIN_KEY
    if changed == "key":
        key = ChainKey(b"another" * 5)
    else:
        connection = dbapi2.connect(str(the_segment(left)), isolation_level=None)
        connection.execute("DELETE FROM audit_events WHERE rowid = 2")
        connection.close()
    content = the_segment(left).with_suffix(".backlog").read_bytes()
    recover(left, key, LIMITS)
    rejected = the_segment(left).with_suffix(backlog.REJECTED)
    assert rejected.read_bytes() == content
    assert rejected.stat().st_mode & 0o777 == 0o600
    assert "do not follow its last one" in caplog.text
    assert not backlog.is_left(the_segment(left))
    assert stored(left) == before[: 2 if changed == "key" else 1]
    found = SegmentPlace(left, is_data=False).survey().findings
    assert any(str(rejected) in one.what and one.severity is Severity.ERROR for one in found)


def test_what_another_program_wrote_is_kept_beside(tmp_path: Path, log: SegmentLog) -> None:
    before, put_off = appended(log, 2)
    assert put_off is not None
    put_off()
    left = crashed(tmp_path, tmp_path / "left")
    path = the_segment(left)
    strange = b"\x93\x01\x02\x03"
    path.with_suffix(".backlog").write_bytes(Struct(">II").pack(len(strange), crc32(strange)) + strange)
    recover(left, CHAIN_KEY, LIMITS)
    assert strange in path.with_suffix(backlog.REJECTED).read_bytes()
    assert kept(left) == before


def test_a_batch_that_is_written_in_part_is_refused(
    tmp_path: Path, log: SegmentLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = appended(log, 2)
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda file, parts, at: whole(file, [b"".join(parts)[:-1]], at))
    with pytest.raises(OSError, match="in part"):
        log.append([row()])
    monkeypatch.undo()
    recover(tmp_path, CHAIN_KEY, LIMITS)
    assert kept(tmp_path) == before


def test_a_full_segment_has_no_backlog(tmp_path: Path, log: SegmentLog) -> None:
    for _ in range(25):
        log.append([row() for _ in range(40)])
    log.close()
    (full,) = filter(is_full, segment_files(tmp_path))
    assert not full.with_suffix(".backlog").exists()


def test_what_a_killed_owner_of_a_full_segment_has_left_goes_when_it_is_sealed(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, Limits(segment_rows=2), CHAIN_KEY)
    appended(log, 2)
    log.close()
    remains = the_segment(tmp_path).with_suffix(".backlog")
    remains.touch()
    seal(tmp_path)
    assert not remains.exists()


def test_damaged_segments_are_passed_over(tmp_path: Path) -> None:
    damaged = [tmp_path / f"{number:016x}.db" for number in range(3)]
    for one in damaged:
        one.write_bytes(b"no database" * 1_000)
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    for _ in damaged:
        with pytest.raises(dbapi2.Error):
            log.append([row()])
    for _ in range(5):
        log.append([row()])
    log.close()


def test_rows_that_cannot_be_written_leave_nothing_behind(tmp_path: Path, log: SegmentLog) -> None:
    before, _ = appended(log, 2)
    for bad in ([row(resource_1="\ud800")], [row(number, resource_1="\ud800") for number in range(40)]):
        with pytest.raises(UnicodeEncodeError):
            log.append(bad)
    after, _ = appended(log, 3)
    log.close()
    assert kept(tmp_path) == before + after


def test_commands_say_what_a_killed_process_has_left(tmp_path: Path, log: SegmentLog) -> None:
    appended(log, 2)
    assert not backlog.is_orphaned(the_segment(tmp_path))
    left = crashed(tmp_path, tmp_path / "left")
    (finding,) = SegmentPlace(left, is_data=False).survey().findings
    assert finding.severity is Severity.UNCHECKED
    assert "start the server once" in finding.advice
    with pytest.raises(OperatorError, match="start the server once"):
        list(copies(left, is_data=False))
    recover(left, CHAIN_KEY, LIMITS)
    assert SegmentPlace(left, is_data=False).survey().findings == []
    assert len(list(copies(left, is_data=False))) == 1


def test_a_write_returns_when_it_is_on_disk(tmp_path: Path) -> None:
    one = backlog.Backlog(tmp_path / "one.db")
    assert fcntl.fcntl(one._file, fcntl.F_GETFL) & os.O_DSYNC
    one.close()


def test_nobody_waits_twice_for_what_did_not_come(tmp_path: Path, log: SegmentLog) -> None:
    appended(log, 2)
    backlog.wait(segment_files(tmp_path), 0.05)
    backlog.wait(segment_files(tmp_path), 1e9)


def test_a_segment_that_is_in_use_is_left_alone(tmp_path: Path, log: SegmentLog) -> None:
    appended(log, 2)
    recover(tmp_path, CHAIN_KEY, LIMITS)
    assert kept(tmp_path) == []
    assert backlog.is_left(the_segment(tmp_path))


def test_one_that_takes_nothing_keeps_no_other_from_it(
    tmp_path: Path, log: SegmentLog, caplog: pytest.LogCaptureFixture
) -> None:
    identifiers, _ = appended(log, 2)
    left = crashed(tmp_path, tmp_path / "left")
    broken = left / "0000000000000000.db"
    broken.write_bytes(b"no database" * 1_000)
    shutil.copy(the_segment(tmp_path).with_suffix(".backlog"), broken.with_suffix(".backlog"))
    with pytest.raises(OSError, match="1 audit segments do not take"):
        recover(left, CHAIN_KEY, LIMITS)
    assert "cannot be stored: DatabaseError" in caplog.text
    broken.unlink()
    assert kept(left) == identifiers


def test_readers_wait_for_what_waits(tmp_path: Path, log: SegmentLog) -> None:
    _, put_off = appended(log, 2)
    assert put_off is not None
    ended = threading.Event()

    def read() -> None:
        backlog.wait(segment_files(tmp_path), 60)
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert not ended.wait(0.1)
    put_off()
    assert ended.wait(10)
    reader.join()


def test_readers_do_not_wait_for_what_comes_later_or_never(tmp_path: Path, log: SegmentLog) -> None:
    appended(log, 2)
    began = time.monotonic()
    backlog.wait(segment_files(tmp_path), 0.05)
    assert time.monotonic() - began >= 0.05
    mark_full(the_segment(tmp_path))  # as a loss of power may leave it
    assert not backlog.is_left(the_segment(tmp_path))
    backlog.wait([tmp_path / "gone.db", the_segment(tmp_path)], 1e9)


def test_a_pause_brings_all_into_the_database(tmp_path: Path, aside: Executor) -> None:
    commit = GroupCommit(SegmentLog(tmp_path, LIMITS, CHAIN_KEY, aside), LIMITS)
    one = row()
    wait(commit.submit(one), 10)
    backlog.wait(segment_files(tmp_path), 10)
    assert stored(tmp_path) == [one.event_id]
    assert commit.idle is None
    wait(commit.submit(*(row() for _ in range(40))), 10)
    assert commit.idle is None
    commit.close()


@pytest.fixture
def aside() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_failure_after_the_answer_is_told(
    tmp_path: Path, aside: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    commit = GroupCommit(SegmentLog(tmp_path, LIMITS, CHAIN_KEY, aside), LIMITS)
    rows = [row(), row()]
    wait(commit.submit(rows[0]), 10)
    backlog.wait(segment_files(tmp_path), 10)
    (path,) = segment_files(tmp_path)
    stranger = dbapi2.connect(str(path), isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    wait(commit.submit(rows[1]), 10)
    deadline = time.monotonic() + 10
    while commit.last_error is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "the audit log cannot be written" in caplog.text
    stranger.close()
    recover(tmp_path, CHAIN_KEY, LIMITS)
    assert kept(tmp_path) == [one.event_id for one in rows]
    wait(commit.submit(row()), 10)
    assert commit.last_error is None
    commit.close()
