"""Blobs on the local disk: private, durable, and tidy after a crash."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from kms_server.s3.blobs import local
from kms_server.s3.blobs.local import LocalBlobs
from kms_server.s3.blobs.store import BlobMissing, StoreFull
from tests.unit.side_by_side import side_by_side

KILLED = """
import os, sys
from pathlib import Path
from kms_server.s3.blobs.local import LocalBlobs

blobs = LocalBlobs(Path(sys.argv[1]))
with blobs.create("ab" * 16) as writer:
    writer.write(b"finished")
    writer.finish()
with blobs.create("cd" * 16) as writer:
    writer.write(bytes(3_000_000))
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "objects")


def write(blobs: LocalBlobs, data: bytes = b"x") -> str:
    blob_id = uuid4().hex
    with blobs.create(blob_id) as writer:
        writer.write(data)
        writer.finish()
    return blob_id


def files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_a_large_blob_goes_to_the_disk_while_it_is_written(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _file, first, size, _advice: sent.append((first, size)))
    with blobs.create("ab" * 16) as writer:
        for piece in (1_000, 2_000_000, 100_000, 3_000_000, 900_000, 700_000):
            writer.write(bytes(piece))
        assert [sum(one) for one in sent[:-1]] == [first for first, _ in sent[1:]]
        assert sum(sent[-1]) == 6_701_000
        writer.finish()
    assert len(sent) == 3


def test_nobody_else_may_look(blobs: LocalBlobs, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        for settled in (False, True):
            blob_id = write(blobs)
            if settled:
                blobs.settle(blob_id)
    finally:
        os.umask(old)
    for path in [tmp_path / "objects", *(tmp_path / "objects").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_a_blob_lies_in_one_place_at_a_time(blobs: LocalBlobs, tmp_path: Path) -> None:
    blob_id = write(blobs)
    assert files(tmp_path / "objects") == {f"incoming/{blob_id}"}
    blobs.settle(blob_id)
    assert files(tmp_path / "objects") == {f"{blob_id[:2]}/{blob_id[2:4]}/{blob_id}"}
    assert list(blobs.unsettled(-5)) == []


def test_what_a_killed_process_leaves_is_unsettled(blobs: LocalBlobs, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "objects")], check=False)
    assert done.returncode == -9
    assert set(blobs.unsettled(-5)) == {"ab" * 16, "cd" * 16}
    assert blobs.read("ab" * 16, 0, 8) == b"finished"
    for blob_id in blobs.unsettled(-5):
        blobs.delete(blob_id)
    assert files(tmp_path / "objects") == set()


def test_a_blob_to_which_somebody_still_writes_is_young(blobs: LocalBlobs, tmp_path: Path) -> None:
    with blobs.create("ab" * 16) as writer:
        os.utime(tmp_path / "objects" / "incoming" / ("ab" * 16), (0, time.time() - 100))
        assert list(blobs.unsettled(50)) == ["ab" * 16]
        writer.write(bytes(2_000_000))
        assert list(blobs.unsettled(50)) == []


def test_a_blob_that_was_swept_away_cannot_be_finished(blobs: LocalBlobs) -> None:
    with blobs.create("ab" * 16) as writer:
        blobs.delete("ab" * 16)
        with pytest.raises(BlobMissing):
            writer.finish()


def test_an_id_is_used_once(blobs: LocalBlobs) -> None:
    blob_id = write(blobs)
    with pytest.raises(FileExistsError):
        blobs.create(blob_id)
    assert blobs.read(blob_id, 0, 1) == b"x"


def test_links_are_not_followed(blobs: LocalBlobs, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "objects" / "incoming" / ("ab" * 16)).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        blobs.read("ab" * 16, 0, 1)
    with pytest.raises(FileExistsError):
        blobs.create("ab" * 16)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["open", "write", "fdatasync"])
def test_a_full_disk_is_told_and_nothing_stays(
    blobs: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(code, "full")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StoreFull):
        write(blobs)
    monkeypatch.undo()
    assert files(tmp_path / "objects") == set()


def test_other_failures_of_the_disk_are_themselves(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(OSError, match="broken"):
        write(blobs)


def test_a_blob_that_finds_no_room_to_move_stays(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    blob_id = write(blobs)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "mkdir", full)
    blobs.settle(blob_id)
    assert blobs.read(blob_id, 0, 1) == b"x"
    assert list(blobs.unsettled(-5)) == [blob_id]


def test_writers_share_syncs_of_the_directory(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[frozenset[str]] = []

    def slow(directory: str) -> None:
        there = frozenset(path.name for path in Path(directory).iterdir())
        time.sleep(0.05)
        synced.append(there)

    monkeypatch.setattr(local, "sync_directory", slow)

    def work(_: int) -> None:
        blob_id = write(blobs)
        assert any(blob_id in there for there in synced)

    side_by_side(16, work)
    assert len(synced) < 10
