"""A file with several versions of the root key: changed in one step wherever a change is killed, and overwritten."""

import itertools
import os
import signal
import stat
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from kms_server.errors import OperatorError
from kms_server.root_keys import file_place
from kms_server.root_keys.file import FileRootKey
from kms_server.root_keys.file_place import FilePlace

LINE = b"kms-server-root-key 1 %d " + b"0123456789abcdef" * 4 + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root.key"


def with_content(path: Path, content: bytes) -> FilePlace:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return FilePlace(path)


def test_versions_are_added_and_removed(path: Path) -> None:
    place = FilePlace(path)
    first = place.make(1)
    second = place.make(2)
    assert [key.fingerprint for key in place.read()] == [first.fingerprint, second.fingerprint]
    assert place.make(2).fingerprint == second.fingerprint
    assert place.has(2, second.fingerprint)
    assert not place.has(2, first.fingerprint)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    former = path.open("rb")
    assert place.remove({first.fingerprint})
    assert [key.version for key in place.read()] == [2]
    assert first.line not in former.read()
    former.close()
    assert not place.remove({first.fingerprint})
    assert place.remove({second.fingerprint})
    assert list(path.parent.iterdir()) == []
    assert not place.remove({second.fingerprint})


def test_a_file_with_newer_versions_is_not_added_to(path: Path) -> None:
    place = with_content(path, LINE % 7)
    with pytest.raises(OperatorError, match="has version 7 of a root key"):
        place.make(2)
    assert path.read_bytes() == LINE % 7


@pytest.mark.parametrize(
    "content",
    [LINE % 2 + LINE % 1, LINE % 1 + LINE % 1, LINE % 1 + b"\n" + LINE % 2, LINE % 1 + b"x"],
    ids=range(4),
)
def test_versions_in_any_other_order_are_no_root_key(path: Path, content: bytes) -> None:
    with pytest.raises(OperatorError, match="is not a root key file"):
        with_content(path, content).read()


def killed_before(wanted: int) -> Any:
    lines = itertools.count()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != file_place.__file__:
            return None
        if event == "line" and next(lines) == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


@pytest.mark.parametrize("kept", [b"", LINE % 2], ids=["all", "some"])
def test_wherever_a_removal_is_killed_the_next_one_finishes_it(tmp_path: Path, kept: bytes) -> None:
    going = LINE.replace(b"0", b"a") % 1
    for line in itertools.count():
        path = tmp_path / str(line) / "root.key"
        path.parent.mkdir()
        place = with_content(path, going + kept)
        fingerprint = place.read()[0].fingerprint
        child = os.fork()
        if child == 0:
            sys.settrace(killed_before(line))
            place.remove({fingerprint})
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert not path.exists() or path.read_bytes() in (going + kept, kept)
        place.remove({fingerprint})
        assert [one.read_bytes() for one in path.parent.iterdir()] == ([kept] if kept else [])
        if ended == 0:
            return


def test_a_fingerprint_is_all_that_a_removal_goes_by(path: Path) -> None:
    place = FilePlace(path)
    place.make(1)
    assert not place.remove({FileRootKey.fresh(1).fingerprint})
    assert len(place.read()) == 1
