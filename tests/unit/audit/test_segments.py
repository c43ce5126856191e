"""Segments: durable, owned by one, adopted, sealed, and healed of damage."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pysqlite3 import dbapi2

from kms_server.audit import marks, value_filter
from kms_server.audit.lookup import lookup
from kms_server.audit.sealing import seal
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.config import Limits
from tests.functional.processes import Module
from tests.unit.audit import segment_writer
from tests.unit.audit.audit_rows import CHAIN_KEY, places, query, row, stored

LIMITS = Limits(segment_rows=100, audit_deadline=0.2)
WRITER = "tests.unit.audit.segment_writer"


def filled(directory: Path, count: int) -> list[str]:
    """The ids of `count` rows, written in batches of 50 and given up."""
    log = SegmentLog(directory, LIMITS, CHAIN_KEY)
    rows = [row(number) for number in range(count)]
    for start in range(0, count, 50):
        log.append(rows[start : start + 50])
    log.close()
    return [one.event_id for one in rows]


def test_every_row_is_stored_once_and_whole(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    one, other = row(1), row(2, read_only=False, username=None, resource_2="Ω\n'\"", record='{"a":"\\u0000"}')
    log.append([one])
    with pytest.raises(dbapi2.IntegrityError):
        log.append([other, one])
    log.append([other])
    assert stored(tmp_path) == [one.event_id, other.event_id]
    assert lookup(places(tmp_path), query()) == [other, one]
    log.close()


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    filled(tmp_path, 150)
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    log.append([row()])
    seal(tmp_path)
    files = list(tmp_path.iterdir())
    assert {path.suffix for path in files} == {
        ".db",
        ".db-wal",
        ".db-shm",
        ".backlog",
        ".full",
        ".lock",
        ".sealed",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    log.close()


def test_a_row_the_table_refuses_fails_its_batch(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    with pytest.raises(dbapi2.IntegrityError):
        log.append([row(), row(account=None)])
    log.append([row()])
    assert len(stored(tmp_path)) == 1
    log.close()


def test_a_segment_has_one_owner_and_is_adopted_when_given_up(tmp_path: Path) -> None:
    first, second = SegmentLog(tmp_path, LIMITS, CHAIN_KEY), SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    first.append([row()])
    second.append([row()])
    assert len(segment_files(tmp_path)) == 2
    first.close()
    third = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    third.append([row()])
    assert len(segment_files(tmp_path)) == 2
    assert len(stored(tmp_path)) == 3
    second.close()
    third.close()


def test_a_segment_with_pages_of_another_size_is_adopted_and_sealed(tmp_path: Path) -> None:
    """As programs of before wrote them, and those to come may."""
    ids = filled(tmp_path, 50)
    (path,) = segment_files(tmp_path)
    connection = dbapi2.connect(str(path))
    connection.executescript("PRAGMA journal_mode=DELETE; PRAGMA page_size=4096; VACUUM")
    connection.close()
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    rows = [row(number) for number in range(50, 100)]
    for one in rows:
        log.append([one])
    log.close()
    seal(tmp_path)
    assert path.read_bytes()[16:18] == (4096).to_bytes(2)
    assert path.with_suffix(marks.SUFFIX).exists()
    assert stored(tmp_path) == [*ids, *(one.event_id for one in rows)]


def test_a_segment_filled_while_another_asked_for_it_is_not_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, 50)
    (path,) = segment_files(tmp_path)

    def listed_before_it_was_full(directory: Path) -> list[Path]:
        path.with_suffix(".full").touch()
        return [path]

    monkeypatch.setattr("kms_server.audit.segment_log.segment_files", listed_before_it_was_full)
    late = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    late.append([row()])
    assert len(segment_files(tmp_path)) == 2
    late.close()


def test_full_segments_are_sealed_once_and_know_their_range(tmp_path: Path) -> None:
    identifiers = filled(tmp_path, 250)
    seal(tmp_path)
    seal(tmp_path)
    sealed = [path for path in segment_files(tmp_path) if marks.read(path)]
    assert len(sealed) == 2
    assert sorted((mark.first, mark.last) for mark in map(marks.read, sealed) if mark) == [
        (identifiers[0], identifiers[99]),
        (identifiers[100], identifiers[199]),
    ]
    connection = dbapi2.connect(str(sealed[0]))
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    connection.close()
    assert {f"ix_audit_events_{name}" for name in ("account", "resource_1", "resource_2")} <= names
    assert stored(tmp_path) == identifiers


def test_a_segment_in_use_is_not_sealed(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    log.append([row()])
    (path,) = segment_files(tmp_path)
    path.with_suffix(".full").touch()
    seal(tmp_path)
    assert not path.with_suffix(".sealed").exists()
    log.close()


def test_a_mark_cut_short_is_no_range(tmp_path: Path) -> None:
    filled(tmp_path, 100)
    seal(tmp_path)
    (path,) = segment_files(tmp_path)
    path.with_suffix(".sealed").write_text("")
    assert marks.read(path) is None
    assert len(lookup(places(tmp_path), query())) == 100


def test_a_damaged_segment_does_not_keep_others_from_being_sealed(tmp_path: Path) -> None:
    filled(tmp_path, 200)
    damaged, sound = segment_files(tmp_path)
    damaged.write_bytes(b"no database" * 1_000)
    with pytest.raises(OSError, match="1 audit segments cannot be sealed"):
        seal(tmp_path)
    assert marks.read(sound)
    assert marks.read(damaged) is None


def test_a_damaged_segment_costs_one_batch(tmp_path: Path) -> None:
    filled(tmp_path, 50)
    (damaged,) = segment_files(tmp_path)
    damaged.write_bytes(b"no database" * 1_000)
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    with pytest.raises(dbapi2.DatabaseError):
        log.append([row()])
    for _ in range(200):
        log.append([row()])
    log.close()
    assert len(segment_files(tmp_path)) == 3


def test_a_stranger_holding_the_file_costs_one_batch(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    log.append([row()])
    stranger = dbapi2.connect(str(segment_files(tmp_path)[0]), isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(dbapi2.OperationalError):
        log.append([row()])
    log.append([row()])
    stranger.close()
    assert len(stored(tmp_path)) == 2
    log.close()


def test_a_limit_on_file_sizes_fails_tickets_until_it_is_lifted(tmp_path: Path) -> None:
    before, *under, files, after = Module(WRITER, "file_size", str(tmp_path)).finish().split()
    assert under == ["failed"] * 10
    assert int(files) <= 5
    assert {before, after} <= set(stored(tmp_path))


def test_what_was_acknowledged_survives_a_killed_writer(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for _ in range(3):
        with Module(WRITER, "endless", str(tmp_path)) as writer:
            acknowledged += [writer.stdout.readline().strip() for _ in range(40)]
            writer.kill()
            acknowledged += writer.stdout.read().split()
    kept = stored(tmp_path)
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))
    assert len(segment_files(tmp_path)) == 1


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_one_sync_comes_before_each_acknowledgement(tmp_path: Path) -> None:
    trace, directory = tmp_path / "trace", tmp_path / "audit"
    directory.mkdir()
    strace = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o", str(trace)]
    command = [*strace, sys.executable, "-m", WRITER, "batches", str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.PIPE)
    syncs: list[list[str]] = [[]]
    for line in trace.read_text().splitlines():
        if found := re.search(r"f(?:data)?sync\(\d+<(.*?)>", line):
            syncs[-1].append(found[1])
        elif re.search(r" write\(1<", line):
            syncs.append([])
    first, *others = syncs[: segment_writer.BATCHES]
    assert any(path.endswith(".db-wal") for path in first)
    assert os.fspath(directory) in first  # the file's own entry
    assert len(others) == segment_writer.BATCHES - 1
    assert all(len(paths) == 1 and paths[0].endswith(".db-wal") for paths in others)


def test_the_write_ahead_log_stays_short(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, Limits(), CHAIN_KEY)
    for start in range(0, 4_000, 20):
        log.append([row(number, record="x" * 1_000) for number in range(start, start + 20)])
    (path,) = segment_files(tmp_path)
    assert path.with_suffix(".db-wal").stat().st_size < path.stat().st_size
    log.close()


def test_what_all_rows_have_alike_has_no_index(tmp_path: Path) -> None:
    keys = [f"arn:aws:kms:us-east-1:000000000000:key/{number}" for number in range(2)]
    log = SegmentLog(tmp_path, LIMITS, CHAIN_KEY)
    log.append([row(number, resource_1=keys[number % 2], resource_2=None) for number in range(99)])
    (path,) = segment_files(tmp_path)
    connection = dbapi2.connect(str(path))
    assert {"resource_1_type": "AWS::KMS::Key", "username": row().username}.items() <= marks.uniform(
        connection
    ).items()
    assert not {"resource_1", "resource_2", "resource_2_type"} & marks.uniform(connection).keys()
    log.append([row(99, resource_1=None, resource_2=keys[0])])
    assert not {"resource_1_type", "resource_2_type"} & marks.uniform(connection).keys()
    connection.close()
    seal(tmp_path)
    mark = marks.read(path)
    assert mark is not None
    kinds = [
        value_filter.may_have(
            mark.values, marks.value_of(row().account, row().region, ("resource_type", kind))
        )
        for kind in ("AWS::KMS::Key", "AWS::KMS::Alias")
    ]
    assert kinds == [True, False]
