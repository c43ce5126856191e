"""Durable group commit, its failures, and lookups over segments."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from pysqlite3 import dbapi2

from kms_server.audit import event_id
from kms_server.audit.group_commit import GroupCommit, wait
from kms_server.audit.lookup import Query, lookup, sources
from kms_server.audit.record import Row
from kms_server.audit.segments import SegmentLog, seal, segment_files
from kms_server.config import Limits
from kms_server.errors import KMSInternalException

LIMITS = Limits(segment_rows=100)
ACCOUNT, REGION = "111122223333", "us-east-1"


def row(number: int = 0, name: str = "Encrypt") -> Row:
    identifier = event_id.new(time.time() + number / 1000)
    return Row(
        identifier,
        ACCOUNT,
        REGION,
        name,
        "kms.amazonaws.com",
        True,
        "mira",
        "AKIA",
        f"arn:{number}",
        None,
        None,
        "{}",
    )


def found(directory: Path, limit: int = 10_000, **changes: object) -> list[Row]:
    query = Query(
        account=ACCOUNT, region=REGION, attribute=None, start=None, end=None, after=None, limit=limit
    )
    segments = sources(None, directory)[1:]  # type: ignore[arg-type]  # the main database is left out
    return lookup(segments, Query(**{name: getattr(query, name) for name in query.__slots__} | changes))


def test_every_ticket_means_a_row(tmp_path: Path) -> None:
    commit = GroupCommit(SegmentLog(tmp_path, LIMITS), LIMITS)
    rows = [row(number) for number in range(450)]
    tickets = [commit.submit(one) for one in rows]
    for ticket in tickets:
        wait(ticket, 10)
    assert {one.event_id for one in found(tmp_path)} == {one.event_id for one in rows}
    commit.close()
    assert len(segment_files(tmp_path)) > 1


def test_segments_are_sealed_and_still_answer(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LIMITS)
    rows = [row(number) for number in range(250)]
    for start in range(0, 250, 50):
        log.append(rows[start : start + 50])
    seal(tmp_path)
    seal(tmp_path)
    newest = sorted(rows, key=lambda one: one.event_id, reverse=True)
    assert found(tmp_path) == newest
    assert found(tmp_path, limit=7) == newest[:7]
    assert found(tmp_path, after=newest[6].event_id, limit=3) == newest[7:10]
    assert found(tmp_path, attribute=("resource", "arn:42")) == [rows[42]]
    assert found(tmp_path, attribute=("read_only", "false")) == []
    log.close()
    indexes = dbapi2.connect(str(next(tmp_path.glob("*.sealed")).with_suffix(".db")))
    assert indexes.execute("SELECT count(*) FROM sqlite_master WHERE type = 'index'").fetchone()[0] >= 5
    indexes.close()


def test_a_row_is_stored_once(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LIMITS)
    one = row()
    log.append([one])
    log.append([one])
    assert found(tmp_path) == [one]
    log.close()


def test_an_unwritable_log_fails_its_calls_and_heals(tmp_path: Path) -> None:
    commit = GroupCommit(SegmentLog(tmp_path, LIMITS), LIMITS)
    wait(commit.submit(row()), 10)
    vandal = dbapi2.connect(str(segment_files(tmp_path)[0]))
    vandal.execute("CREATE TRIGGER refuse BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'no'); END")
    for _ in range(3):
        with pytest.raises(KMSInternalException):
            wait(commit.submit(row()), 10)
    assert commit.last_error is not None
    vandal.execute("DROP TRIGGER refuse")
    wait(commit.submit(row()), 10)
    assert commit.last_error is None
    assert len(found(tmp_path)) == 2
    vandal.close()
    commit.close()


class HangingLog:
    """A disk that does not answer until it is told to."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def append(self, rows: Sequence[Row]) -> None:
        self.released.wait()

    def close(self) -> None:
        pass


def test_a_hanging_log_has_a_deadline() -> None:
    log = HangingLog()
    commit = GroupCommit(log, LIMITS)
    with pytest.raises(KMSInternalException):
        wait(commit.submit(row()), 0.05)
    assert commit.stuck_for() > 0
    log.released.set()
    wait(commit.submit(row()), 10)
    commit.close()


def _write_for_ever(directory: Path, acknowledged: Connection) -> None:
    commit = GroupCommit(SegmentLog(directory, Limits()), Limits())
    while True:
        rows = [row() for _ in range(5)]
        tickets = [commit.submit(one) for one in rows]
        for one, ticket in zip(rows, tickets, strict=True):
            wait(ticket, 10)
            acknowledged.send(one.event_id)


def test_what_was_acknowledged_survives_a_killed_writer(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    told: list[str] = []
    for _ in range(3):
        receive, send = context.Pipe(duplex=False)
        writer = context.Process(target=_write_for_ever, args=(tmp_path, send))
        writer.start()
        send.close()
        told += [receive.recv() for _ in range(40)]
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        while receive.poll():
            try:
                told.append(receive.recv())
            except EOFError:
                break
        receive.close()
    kept = [one.event_id for one in found(tmp_path)]
    assert set(told) <= set(kept)
    assert len(kept) == len(set(kept))
    assert len(segment_files(tmp_path)) == 1
