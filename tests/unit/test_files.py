"""Private files."""

import os
import stat
from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.files import make_private_dir, read_private, write_private


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as old:
        write_private(path, b"new")
        assert (path.read_bytes(), old.read()) == (b"new", b"old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_nothing_is_left_of_what_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "file", b"secret")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_no_umask_makes_a_directory_public_or_one_above_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private_dir(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert {f"{path.stat().st_mode & 0o777:o}" for path in tmp_path.rglob("*")} == {"700"}
    make_private_dir(tmp_path / "a" / "b" / "c")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_reach_is_not_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    write_private(path, b"secret")
    assert read_private(path, called="the file", remedy="") == b"secret"
    path.chmod(mode)
    with pytest.raises(OperatorError, match=f"the file {path} can be read by others: run `chmod 600 {path}`"):
        read_private(path, called="the file", remedy="")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        OperatorError, match=r"cannot read the file .*/none: No such file or directory; do this"
    ):
        read_private(tmp_path / "none", called="the file", remedy="do this")
