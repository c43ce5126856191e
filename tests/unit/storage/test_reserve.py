"""The disk's reserve: data stays out of it."""

import logging
import os
from pathlib import Path

import pytest

from kms_server.audit.reserved_log import ReservedLog
from kms_server.audit.segment_log import SegmentLog
from kms_server.config import Limits
from kms_server.s3.blobs.guarded import GuardedBlobs
from kms_server.s3.blobs.local import LocalBlobs
from kms_server.s3.blobs.store import StoreFull
from kms_server.storage.reserve import Reserve
from kms_server.storage.waits import Waits
from tests.unit.audit.audit_rows import CHAIN_KEY, row, stored

MORE_THAN_ANY = 2**63


def test_a_reserve_is_used_when_less_is_free(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    reserve = Reserve(tmp_path, 0)
    assert 0 < reserve.free() <= found.f_blocks * found.f_frsize
    assert not reserve.is_used()
    assert Reserve(tmp_path, MORE_THAN_ANY).is_used()


def test_a_reserve_is_looked_for_again_while_it_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reserve = Reserve(tmp_path, MORE_THAN_ANY)
    with caplog.at_level(logging.ERROR):
        assert all(reserve.is_used() for _ in range(3))
    assert len(caplog.records) == 1
    assert "free space on that disk" in caplog.text
    reserve.size = 0
    assert not reserve.is_used()


def test_who_looked_last_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread may be held up between its look and its word, and the disk have room again."""
    reserve = Reserve(tmp_path, 10)
    later: list[bool] = []

    def held_up() -> int:
        monkeypatch.setattr(reserve, "free", lambda: 20)
        monkeypatch.setattr(reserve, "_looked", -1.0)
        later.append(reserve.is_used())
        return 5

    monkeypatch.setattr(reserve, "free", held_up)
    assert reserve.is_used()
    assert later == [False]
    monkeypatch.setattr(reserve, "free", lambda: 1 / 0)
    assert not reserve.is_used()


def test_a_log_leaves_the_reserve_alone(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, MORE_THAN_ANY)
    log = ReservedLog(SegmentLog(tmp_path, Limits(), CHAIN_KEY), reserve)
    with pytest.raises(OSError, match="reserve"):
        log.append([row()])
    assert stored(tmp_path) == []
    reserve.size = 0
    log.append([row()])
    log.close()
    assert len(stored(tmp_path)) == 1


def test_objects_leave_the_reserve_alone(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, MORE_THAN_ANY)
    blobs = GuardedBlobs(LocalBlobs(tmp_path / "objects"), Waits(), reserve)
    blob_id = "0" * 32
    with pytest.raises(StoreFull), blobs.create(blob_id) as writer:
        writer.write(b"x")
    assert list((tmp_path / "objects" / "incoming").iterdir()) == []
    reserve.size = 0
    with blobs.create(blob_id) as writer:
        writer.write(b"x")
        writer.finish()
    assert blobs.read(blob_id, 0, 1) == b"x"
