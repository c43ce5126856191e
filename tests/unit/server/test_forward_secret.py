"""The shared secret's file."""

import base64
import stat
from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.server.forward_secret import create, load_key


def test_two_servers_read_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).digest(b"m") == load_key(path).digest(b"m")
    create(tmp_path / "other")
    assert load_key(path).digest(b"m") != load_key(tmp_path / "other").digest(b"m")


def test_a_secret_is_not_written_over(tmp_path: Path) -> None:
    create(tmp_path / "secret")
    with pytest.raises(OperatorError, match="exists"):
        create(tmp_path / "secret")


def test_there_must_be_a_directory(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="No such file"):
        create(tmp_path / "none" / "secret")
    with pytest.raises(OperatorError, match="No such file"):
        load_key(tmp_path / "none")


@pytest.mark.parametrize(
    "content", [b"", b"short", base64.b64encode(bytes(31)), b"no base64!" * 9, b"\xff" * 64], ids=range(5)
)
def test_what_is_no_secret(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(OperatorError, match="is not 32 bytes in base64"):
        load_key(path)


def test_others_must_not_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create(path)
    path.chmod(0o640)
    with pytest.raises(OperatorError, match="chmod 600"):
        load_key(path)
