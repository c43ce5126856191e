"""Group commit: shared writes, failures that reach every ticket, deadlines, and recovery without a restart."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pysqlite3 import dbapi2

from kms_server.audit.group_commit import GroupCommit, wait
from kms_server.audit.log import Outdated
from kms_server.audit.record import Row
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.batches import Ticket
from kms_server.config import Limits
from kms_server.errors import KMSInternalException
from tests.unit.audit.audit_rows import CHAIN_KEY, row, stored

LIMITS = Limits(segment_rows=100, audit_batch=10, audit_deadline=0.1)


class GatedLog:
    """Remembers batches; each write waits for the gate, as on a disk that does not answer."""

    def __init__(self) -> None:
        self.gate, self.entered = threading.Event(), threading.Event()
        self.batches: list[Sequence[Row]] = []
        self.closed = False
        self.newest = 0

    def append(self, rows: Sequence[Row], decided_on: int | None = None) -> None:
        self.entered.set()
        self.gate.wait()
        if decided_on is not None and decided_on < self.newest:
            raise Outdated(self.newest)
        self.batches.append(rows)

    def close(self) -> None:
        self.closed = True


def test_every_ticket_means_a_row(tmp_path: Path) -> None:
    commit = GroupCommit(SegmentLog(tmp_path, LIMITS, CHAIN_KEY), LIMITS)
    rows = [row(number) for number in range(450)]
    for ticket in [commit.submit(one) for one in rows]:
        wait(ticket, 10)
    assert stored(tmp_path) == [one.event_id for one in rows]
    commit.close()
    assert len(segment_files(tmp_path)) > 1


def test_what_waits_shares_a_write() -> None:
    log = GatedLog()
    commit = GroupCommit(log, LIMITS)
    first = commit.submit(row())
    assert log.entered.wait(10)
    others = [commit.submit(row(number)) for number in range(25)]
    log.gate.set()
    for ticket in (first, *others):
        wait(ticket, 10)
    assert [len(batch) for batch in log.batches] == [1, 10, 10, 5]
    commit.close()


def test_the_rows_of_a_call_are_written_together() -> None:
    log = GatedLog()
    commit = GroupCommit(log, LIMITS)
    rows = [row(number) for number in range(3)]
    log.gate.set()
    wait(commit.submit(*rows), 10)
    assert log.batches == [rows]
    commit.close()


def test_one_call_resolves_a_batch() -> None:
    log = GatedLog()
    commit = GroupCommit(log, LIMITS)
    resolvers: list[Callable[[], None]] = []
    handed = threading.Semaphore(0)

    def on_batch(resolve: Callable[[], None]) -> None:
        resolvers.append(resolve)
        handed.release()

    commit.on_batch = on_batch
    first = commit.submit(row())
    assert log.entered.wait(10)
    others = [commit.submit(row(number)) for number in range(5)]
    log.gate.set()
    assert handed.acquire(timeout=10)
    assert handed.acquire(timeout=10)
    assert not any(ticket.done for ticket in (first, *others))
    for resolve in resolvers:
        resolve()
    assert all(ticket.done for ticket in (first, *others))
    assert len(resolvers) == 2
    commit.close()


def test_a_call_that_fails_with_its_ticket_keeps_no_other_waiting() -> None:
    log = GatedLog()
    commit = GroupCommit(log, LIMITS)
    first, second = commit.submit(row()), commit.submit(row())

    def fail(_ticket: Ticket) -> None:
        raise ZeroDivisionError

    first.on_done = fail
    log.gate.set()
    wait(second, 10)
    commit.close()


def test_closing_writes_what_is_pending() -> None:
    log = GatedLog()
    commit = GroupCommit(log, LIMITS)
    tickets = [commit.submit(row(number)) for number in range(35)]
    log.gate.set()
    commit.close()
    assert all(ticket.done for ticket in tickets)
    assert sum(len(batch) for batch in log.batches) == 35
    assert log.closed


def test_an_unwritable_log_fails_its_calls_and_heals(tmp_path: Path) -> None:
    commit = GroupCommit(SegmentLog(tmp_path, LIMITS, CHAIN_KEY), LIMITS)
    wait(commit.submit(row()), 10)
    vandal = dbapi2.connect(str(segment_files(tmp_path)[0]))
    vandal.execute("CREATE TRIGGER refuse BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'no'); END")
    for _ in range(3):
        for ticket in [commit.submit(row()) for _ in range(5)]:
            with pytest.raises(KMSInternalException):
                wait(ticket, 10)
    assert commit.last_error == "IntegrityError (SQLITE_CONSTRAINT)"
    vandal.execute("DROP TRIGGER refuse")
    wait(commit.submit(row()), 10)
    assert commit.last_error is None
    assert len(stored(tmp_path)) == 2
    vandal.close()
    commit.close()


def test_a_hanging_log_has_a_deadline_and_recovers() -> None:
    log = GatedLog()
    commit = GroupCommit(log, LIMITS)
    with pytest.raises(KMSInternalException):
        wait(commit.submit(row()), 0.2)
    assert commit.stuck_for() > LIMITS.audit_deadline
    refused = commit.submit(row())
    assert refused.done
    with pytest.raises(KMSInternalException):
        wait(refused, 0)
    log.gate.set()
    commit.close()
    assert commit.stuck_for() == 0
    assert [len(batch) for batch in log.batches] == [1]


def test_after_a_hang_calls_are_taken_again() -> None:
    log = GatedLog()
    commit = GroupCommit(log, LIMITS)
    late = commit.submit(row())
    assert log.entered.wait(10)
    with pytest.raises(KMSInternalException):
        wait(late, 0.01)
    log.gate.set()
    wait(late, 10)
    wait(commit.submit(row()), 10)
    commit.close()


def test_what_was_decided_before_a_change_leaves_no_trace() -> None:
    log = GatedLog()
    commit = GroupCommit(log, LIMITS)
    first = commit.submit(row(0))
    assert log.entered.wait(10)
    stamps = [7, 8, None, 6, 9]
    tickets = [commit.submit(row(number), decided_on=stamp) for number, stamp in enumerate(stamps, 1)]
    log.newest = 8
    log.gate.set()
    for ticket in (first, *tickets):
        assert ticket.wait(10)
    assert [ticket.outdated for ticket in tickets] == [True, False, False, True, False]
    assert [ticket.failed for ticket in tickets] == [True, False, False, True, False]
    stored_of = [[one.resource_1 for one in batch] for batch in log.batches]
    assert stored_of == [["arn:0"], ["arn:2", "arn:3", "arn:5"]]
    assert commit.last_error is None
    commit.close()
