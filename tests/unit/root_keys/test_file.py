"""The root key's file: private, whole or absent, never replaced, and refused with one clear line."""

import resource
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.root_keys.file import FileRootKey

GOOD = b"kms-server-root-key 1 1 " + b"0123456789abcdef" * 4 + b"\n"
CREATE = """
import sys
from pathlib import Path
from kms_server.root_keys.file import FileRootKey

FileRootKey.create(Path(sys.argv[1]))
"""


def test_what_is_created_loads(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    made = FileRootKey.create(path)
    loaded = FileRootKey.load_all(path)[-1]
    assert (loaded.fingerprint, loaded.version) == (made.fingerprint, 1)
    assert loaded.unwrap(made.wrap(b"secret", b"binding"), b"binding") == b"secret"


def test_only_the_owner_reads_it_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    FileRootKey.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(b"something of value")
    with pytest.raises(OperatorError, match="cannot create the root key file"):
        FileRootKey.create(path)
    assert path.read_bytes() == b"something of value"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_could_not_be_written_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    done = subprocess.run(
        [sys.executable, "-B", "-c", CREATE, str(path)], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)),
    )  # fmt: skip
    assert "cannot create the root key file" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_wherever_creation_is_killed_the_next_start_finds_a_whole_key_or_makes_one(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-B", "-m", "tests.unit.root_keys.killed_creators", str(tmp_path)], check=True
    )
    for directory in tmp_path.iterdir():
        path = directory / "root.key"
        found = FileRootKey.load_all(path)[-1] if path.exists() else FileRootKey.create(path)
        assert list(directory.iterdir()) == [path]
        assert path.stat().st_nlink == 1
        assert FileRootKey.load_all(path)[-1].fingerprint == found.fingerprint


def test_of_many_creators_one_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "root.key"

    def create(_: int) -> str | None:
        try:
            return FileRootKey.create(path).fingerprint
        except OperatorError:
            return None

    with ThreadPoolExecutor(8) as threads:
        (made,) = filter(None, threads.map(create, range(40)))
    assert FileRootKey.load_all(path)[-1].fingerprint == made
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n", GOOD[:-1], GOOD + b"\n", GOOD[:40], GOOD * 100, GOOD.upper(), GOOD.replace(b" 1 1 ", b" 2 1 "),
        GOOD.replace(b" 1 1 ", b" 1 0 "), GOOD.replace(b"\n", b"\r\n"), b"\xff" * 90,
    ],
    ids=range(11),
)  # fmt: skip
def test_anything_else_is_no_root_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(OperatorError, match="is not a root key file") as refused:
        FileRootKey.load_all(path)[-1]
    assert str(path) in str(refused.value)
    assert GOOD[24:40].decode() not in str(refused.value)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(GOOD)
    path.chmod(mode)
    with pytest.raises(OperatorError, match="chmod 600"):
        FileRootKey.load_all(path)[-1]


def test_a_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(GOOD.replace(b" 1 1 ", b" 1 999999999 "))
    path.chmod(0o600)
    assert FileRootKey.load_all(path)[-1].version == 999_999_999


def test_a_file_in_a_place_that_cannot_be_written_loads(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    made = FileRootKey.create(path)
    (tmp_path / ".root.key.new").mkdir()
    assert FileRootKey.load_all(path)[-1].fingerprint == made.fingerprint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="put the file back or name it by --root-key") as refused:
        FileRootKey.load_all(tmp_path / "root.key")[-1]
    assert str(tmp_path / "root.key") in str(refused.value)
