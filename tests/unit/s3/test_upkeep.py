"""What the S3 layer does by itself: leftovers, old uploads, keys under former masters."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from kms_server.config import Limits
from kms_server.s3 import upkeep
from kms_server.s3.rewrapping import Rewrapping
from kms_server.s3.upkeep import Due
from kms_server.server.s3_operator import operator_services
from kms_server.storage.object_tables import object_versions, uploads
from tests.s3_in_process import CUSTOMER, KINDS, S3InProcess
from tests.unit.side_by_side import side_by_side

LONG = b"x" * 100_000
LIMITS = replace(
    Limits(), min_part_bytes=1, doomed_grace=0.0, unsettled_grace=0.5, upkeep_interval=0.1, blob_search_interval=0.1,
    rewrap_interval=0.1,
)  # fmt: skip


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3InProcess]:
    made = S3InProcess(tmp_path / "data", LIMITS)
    made.ok("PUT", "/photos")
    yield made
    made.close()


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[S3InProcess]:
    """One whose objects are not rewrapped again before long, and whose uploads stay."""
    made = S3InProcess(tmp_path / "patient", replace(LIMITS, rewrap_interval=3_600.0), abort_uploads_after=0)
    made.ok("PUT", "/photos")
    yield made
    made.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def materials(s3: S3InProcess) -> set[str]:
    """The backing keys of the master that something is under."""
    with s3.database.read() as connection:
        return {
            row["material"]
            for table in (object_versions, uploads)
            for row in s3.rows(connection, table)
            if row["material"] is not None
        }


def test_what_is_overwritten_and_what_a_crash_left_goes(s3: S3InProcess) -> None:
    s3.ok("PUT", "/photos/a", LONG)
    [first] = s3.blobs()
    (first.parent.parent.parent / "incoming" / ("0" * 32)).write_bytes(b"stranger")
    s3.ok("PUT", "/photos/a", LONG)
    wait_for(lambda: len(list(s3.blobs())) == 1)
    assert not first.exists()
    assert s3.ok("GET", "/photos/a").body == LONG


def test_old_uploads_are_aborted(s3: S3InProcess) -> None:
    old = s3.begin_upload("/photos/a", {})
    s3.ok("PUT", f"/photos/a?partNumber=1&uploadId={old}", LONG)
    s3.advance(6.9)
    young = s3.begin_upload("/photos/a", {})
    time.sleep(2.5)
    s3.ok("GET", f"/photos/a?uploadId={old}")
    s3.advance(0.2)
    wait_for(lambda: s3.ask("GET", f"/photos/a?uploadId={old}").status == 404)
    wait_for(lambda: not list(s3.blobs()))
    s3.ok("GET", f"/photos/a?uploadId={young}")


def test_keys_follow_the_master(patient: S3InProcess, caplog: pytest.LogCaptureFixture) -> None:
    s3 = patient
    for name, headers in KINDS.items():
        s3.ok("PUT", f"/photos/{name.replace(' ', '-')}", name.encode(), headers)
    s3.ok("PUT", "/photos/damaged", b"x")
    damaged = s3.version("damaged")
    with s3.database.index() as connection:
        broken = damaged["envelope"][:40] + b"?" + damaged["envelope"][41:]
        own = object_versions.c.number == damaged["number"]
        connection.execute(update(object_versions).where(own).values(envelope=broken))
    upload = s3.begin_upload("/photos/upload", {})
    before = s3.version("SSE-S3")
    [former] = materials(s3)
    caplog.set_level(logging.ERROR)
    s3.advance(31)
    wait_for(lambda: s3.version("SSE-S3")["material"] != former and s3.version("DSSE")["material"] != former)
    wait_for(lambda: len(materials(s3)) == 2)
    assert s3.version("damaged")["envelope"] == broken
    assert s3.version("SSE-S3")["sealed_etag"] != before["sealed_etag"]
    for name in KINDS:
        got = s3.ok("GET", f"/photos/{name.replace(' ', '-')}", headers=CUSTOMER if name == "SSE-C" else {})
        assert got.body == name.encode()
    etag = s3.ok("PUT", f"/photos/upload?partNumber=1&uploadId={upload}", LONG).headers["ETag"]
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    whole = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    s3.ok("POST", f"/photos/upload?uploadId={upload}", whole)
    assert s3.ok("GET", "/photos/upload").body == LONG
    time.sleep(2.5)
    told = [one.getMessage() for one in caplog.records if "not rewrapped" in one.getMessage()]
    assert told == ["the keys of 'damaged' in the bucket photos do not open: not rewrapped"]


def test_several_may_rewrap_while_objects_change(patient: S3InProcess) -> None:
    for number in range(60):
        patient.ok("PUT", f"/photos/{number}", b"%d" % number)
    services = operator_services(patient.state)
    patient.advance(31)
    services.shared.keyring.refresh(may_block=True)

    def work(which: int) -> None:
        if which < 3:
            assert not any(batch.failed for batch in Rewrapping(patient.database, services.encryption).run())
            return
        for number in range(0, 60, which):
            patient.ok("PUT", f"/photos/{number}", b"%d" % number)
            patient.ok("DELETE", f"/photos/{number + 1}")

    side_by_side(5, work)
    list(Rewrapping(patient.database, services.encryption).run())
    for number in range(60):
        got = patient.ask("GET", f"/photos/{number}")
        assert got.status == 404 or got.body == b"%d" % number
    assert Rewrapping(patient.database, services.encryption).count() == 0


def test_due_now_once_more_soon_and_then_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((100.0, 104.0, 105.0, 110.0, 164.0, 165.0))
    monkeypatch.setattr(upkeep, "time", SimpleNamespace(monotonic=lambda: next(times)))
    due = Due(60, first=5)
    assert [due.take() for _ in range(6)] == [True, False, True, False, False, True]
