"""What workers count, each in a file of its own."""

import os
import signal
from pathlib import Path

import pytest

from kms_server.errors import (
    AccessDeniedException,
    KMSInternalException,
    NotFoundException,
    ServiceError,
    ThrottlingException,
)
from kms_server.operations import registry
from kms_server.s3.errors import AccessDenied, InternalError, NoSuchBucket, SlowDown
from kms_server.server import call_kinds, tally
from kms_server.server.call_kinds import KINDS, Result, kind_of, result_of
from kms_server.server.tally import BOUNDS, Tally

ENCRYPT = registry.find("kms", "Encrypt")
OK = kind_of(ENCRYPT, Result.OK)


def shown(worker: Tally) -> None:
    worker.alive(connections=0, cached=0, missed=0)


def test_nothing_is_counted_at_the_beginning(tmp_path: Path) -> None:
    totals = tally.read(tmp_path)
    assert (sum(totals.calls.values()), totals.workers, totals.connections) == (0, 0, 0)


def test_the_counts_of_all_workers_are_one(tmp_path: Path) -> None:
    first, second = Tally(tmp_path), Tally(tmp_path)
    for worker, calls in ((first, 3), (second, 2)):
        for _ in range(calls):
            worker.call(OK, 0.002)
        worker.cold()
        worker.batch("data", 7, 0.3, failed=False)
        worker.alive(connections=10, cached=5, missed=4)
        worker.alive(connections=8, cached=6, missed=5)
    first.batch("management", 1, 9.0, failed=True)
    first.alive(connections=8, cached=6, missed=5)
    totals = tally.read(tmp_path)
    assert totals.calls[OK] == 5
    assert sum(totals.calls.values()) == 5
    times = totals.times["kms_data"]
    assert times.buckets[BOUNDS.index(0.0025)] == sum(times.buckets) == 5
    assert times.seconds == pytest.approx(0.01)
    assert (totals.cold, totals.misses, totals.workers) == (2, 10, 2)
    assert (totals.connections, totals.cached) == (16, 12)
    assert (totals.commits["data"].records, totals.commits["data"].failed) == (14, 0)
    assert (totals.commits["management"].failed, totals.commits["management"].times.buckets[-1]) == (1, 1)
    first.close()
    second.close()


def test_every_bound_is_within_its_bucket(tmp_path: Path) -> None:
    worker = Tally(tmp_path)
    for bound in BOUNDS:
        worker.call(OK, bound)
    worker.call(OK, BOUNDS[-1] + 0.001)
    shown(worker)
    assert tally.read(tmp_path).times["kms_data"].buckets == (1,) * (len(BOUNDS) + 1)
    worker.close()


def test_a_killed_worker_s_counts_go_on_without_what_it_had(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        worker = Tally(tmp_path)
        worker.call(OK, 0.1)
        worker.alive(connections=3, cached=1, missed=1)
        os.write(writer, b".")
        signal.pause()
    assert os.read(reader, 1) == b"."
    beside = Tally(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    after = Tally(tmp_path)
    after.call(OK, 0.1)
    assert len(list(tmp_path.iterdir())) == 2
    after.alive(connections=1, cached=0, missed=0)
    totals = tally.read(tmp_path)
    assert (totals.calls[OK], totals.connections, totals.misses) == (2, 1, 1)
    for worker in (beside, after):
        worker.close()
    assert tally.read(tmp_path).workers == 0
    os.close(reader)
    os.close(writer)


def test_a_file_of_another_version_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Tally(tmp_path)
    worker.call(OK, 0.1)
    worker.close()
    monkeypatch.setattr(tally, "_LAYOUT", b"x" * 16)
    assert tally.read(tmp_path).calls[OK] == 0
    worker = Tally(tmp_path)
    worker.call(OK, 0.1)
    shown(worker)
    assert tally.read(tmp_path).calls[OK] == 1
    worker.close()


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (None, Result.OK), (ThrottlingException(), Result.THROTTLED), (SlowDown(), Result.THROTTLED),
        (AccessDeniedException(), Result.DENIED), (AccessDenied(), Result.DENIED),
        (KMSInternalException(), Result.FAILED), (InternalError(), Result.FAILED),
        (NotFoundException(), Result.REFUSED), (NoSuchBucket(), Result.REFUSED),
    ],
)  # fmt: skip
def test_how_a_call_ended(fault: ServiceError | None, result: Result) -> None:
    assert result_of(fault) is result


def test_every_operation_has_kinds_of_its_own() -> None:
    for operation in registry.OPERATIONS:
        for result in Result:
            kind = kind_of(operation, result)
            assert (kind.service, kind.operation, kind.result) == (operation.service, operation.name, result)
            assert KINDS[kind.number] is kind
    assert call_kinds.failed(OK) is kind_of(ENCRYPT, Result.FAILED)
