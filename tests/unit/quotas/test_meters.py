"""Counts of several workers, which outlive them."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kms_server.quotas import meters
from kms_server.quotas.meters import OTHERS, Count, Meters

_KILLED = """
import os, signal, sys
from pathlib import Path
from kms_server.quotas.meters import Meters
mine = Meters(Path(sys.argv[1]))
place = mine.place("key:a")
for _ in range(7):
    mine.count((place,), 0)
mine.count((place,), 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def count(worker: Meters, *subjects: str, passed: int = 0, refused: int = 0) -> None:
    """Calls that need all these limits."""
    places = [worker.place(subject) for subject in subjects]
    for _ in range(passed):
        worker.count(places, 0)
    for _ in range(refused):
        worker.count(places, 1)


def test_calls_count_for_each_limit_they_need(tmp_path: Path) -> None:
    worker = Meters(tmp_path / "usage")
    count(worker, "key:a", "key:b", passed=2, refused=1)
    count(worker, "key:b", passed=3)
    count(worker, "key:c")
    assert meters.read(tmp_path / "usage") == {
        "key:a": Count(2, 1),
        "key:b": Count(5, 1),
        "key:c": Count(0, 0),
    }
    worker.close()


def test_nobody_has_counted_yet(tmp_path: Path) -> None:
    assert meters.read(tmp_path / "usage") == {}


def test_files_are_their_owners(tmp_path: Path) -> None:
    Meters(tmp_path / "usage").close()
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "usage", tmp_path / "usage" / "0000")] == [
        0o700, 0o600,
    ]  # fmt: skip


def test_threads_neither_lose_nor_mix_counts(tmp_path: Path) -> None:
    worker, barrier, each = Meters(tmp_path), threading.Barrier(4), 250

    def run(thread: int) -> None:
        barrier.wait()
        for number in range(each):
            places = worker.place("key:all"), worker.place(f"key:{thread}-{number}")
            for column in (0, 1, 1):
                worker.count(places, column)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    counted = meters.read(tmp_path)
    assert counted.pop("key:all") == Count(4 * each, 8 * each)
    assert len(counted) == 4 * each
    assert set(counted.values()) == {Count(1, 2)}
    worker.close()


def test_workers_count_together(tmp_path: Path) -> None:
    one, other = Meters(tmp_path), Meters(tmp_path)
    count(one, "key:a", passed=3)
    count(other, "key:b", refused=4)
    count(other, "key:a", passed=2)
    assert meters.read(tmp_path) == {"key:a": Count(5, 0), "key:b": Count(0, 4)}
    one.close()
    other.close()


def test_the_next_worker_takes_a_file_over(tmp_path: Path) -> None:
    one, other = Meters(tmp_path), Meters(tmp_path)
    count(one, "key:a", passed=3)
    count(other, "key:a", passed=1)
    one.close()
    following = Meters(tmp_path)
    count(following, "key:b", passed=1)
    count(following, "key:a", passed=4, refused=2)
    assert meters.read(tmp_path) == {"key:a": Count(8, 2), "key:b": Count(1, 0)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000", "0001"]
    following.close()
    other.close()


def test_the_counts_of_a_killed_worker_stay(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert meters.read(tmp_path) == {"key:a": Count(7, 1)}
    worker = Meters(tmp_path)
    count(worker, "key:a", passed=1)
    assert meters.read(tmp_path) == {"key:a": Count(8, 1)}
    worker.close()


def test_limits_beyond_the_room_are_counted_together(tmp_path: Path) -> None:
    for _ in range(2):
        worker = Meters(tmp_path)
        for number in range(1_100):
            count(worker, f"key:{number}", passed=1, refused=1)
        worker.close()
    counted = meters.read(tmp_path)
    assert len(counted) == 1_024
    assert counted.pop(OTHERS) == Count(2 * 77, 2 * 77)
    assert set(counted.values()) == {Count(2, 2)}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("character", ["x", "\u00e9", "\U0001f511"])
def test_long_subjects_are_told_apart(tmp_path: Path, character: str) -> None:
    one, other = (f"principal:{character * 300}{end}" for end in "ab")
    worker = Meters(tmp_path)
    count(worker, one, passed=1)
    count(worker, other, passed=2)
    counted = meters.read(tmp_path)
    assert counted == {meters.named(one): Count(1, 0), meters.named(other): Count(2, 0)}
    assert all(name.startswith("principal:") and len(name.encode()) <= 240 for name in counted)
    worker.close()


def test_a_subject_that_just_fits_is_kept_whole(tmp_path: Path) -> None:
    fits = "principal:" + "x" * 230
    worker = Meters(tmp_path)
    count(worker, fits, passed=1)
    count(worker, "key:a", passed=2)
    assert meters.read(tmp_path) == {fits: Count(1, 0), "key:a": Count(2, 0)}
    worker.close()


def test_a_record_that_was_never_finished_is_none(tmp_path: Path) -> None:
    worker = Meters(tmp_path)
    count(worker, "key:a", passed=1)
    worker.close()
    path = tmp_path / "0000"
    content = bytearray(path.read_bytes())
    content[256 + 16 : 256 + 24] = b"\0ey:half"
    path.write_bytes(content)
    assert meters.read(tmp_path) == {"key:a": Count(1, 0)}
    worker = Meters(tmp_path)
    count(worker, "key:b", passed=1)
    assert meters.read(tmp_path) == {"key:a": Count(1, 0), "key:b": Count(1, 0)}
    worker.close()


def test_one_account_leaves_room_for_others(tmp_path: Path) -> None:
    made = Meters(tmp_path)
    for number in range(2_000):
        made.count([made.place(f"quota:111122223333:aa-made-up-{number}:ListKeys")], 0)
    made.close()
    again = Meters(tmp_path)
    again.count([again.place("quota:111122223333:aa-made-up-2000:ListKeys")], 0)
    again.count([again.place("quota:444455556666:us-east-1:CreateKey")], 1)
    again.close()
    counted = meters.read(tmp_path)
    assert counted[OTHERS] == Count(2_001 - 256, 0)
    assert counted["quota:444455556666:us-east-1:CreateKey"] == Count(0, 1)
