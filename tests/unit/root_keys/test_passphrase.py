"""A root key under a passphrase: only that passphrase opens it, and no file can ask for more work than is sensible."""

import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.root_keys.passphrase import Cost, PassphrasePlace
from kms_server.root_keys.provider import RootKey

CHEAP = Cost(14)
PASSPHRASE = "correct horse battery"


def secret_file(directory: Path, content: bytes, mode: int = 0o600) -> Path:
    path = directory / f"secret-{os.urandom(4).hex()}"
    path.touch(mode=0o600)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def source(directory: Path, passphrase: str = PASSPHRASE) -> PassphrasePlace:
    asked = OperatorSecret(secret_file(directory, passphrase.encode() + b"\n"))
    return PassphrasePlace(directory / "root.key", directory, asked, CHEAP)


@pytest.fixture
def made(tmp_path: Path) -> RootKey:
    return source(tmp_path).create()


def test_it_opens_with_its_passphrase_alone(tmp_path: Path, made: RootKey) -> None:
    assert source(tmp_path).load().fingerprint == made.fingerprint
    for wrong in (PASSPHRASE + "y", PASSPHRASE.upper(), PASSPHRASE + " "):
        with pytest.raises(OperatorError, match="not the passphrase") as refused:
            source(tmp_path, wrong).check()
        assert wrong not in str(refused.value)


def test_its_version_is_seen_without_the_passphrase(tmp_path: Path, made: RootKey) -> None:
    closed = PassphrasePlace(tmp_path / "root.key", tmp_path, OperatorSecret(tmp_path / "no-file"), CHEAP)
    assert closed.has(1, made.fingerprint)
    assert not closed.has(2, made.fingerprint)
    (tmp_path / "root.key").unlink()
    with pytest.raises(OperatorError, match="cannot read the sealed root key"):
        closed.has(1, made.fingerprint)


def test_a_passphrase_is_the_same_however_its_letters_are_composed(tmp_path: Path) -> None:
    made = source(tmp_path, "Schlu\u0308sselwort 12").create()
    assert source(tmp_path, "Schlüsselwort 12").load().fingerprint == made.fingerprint


def test_it_asks_once(tmp_path: Path, made: RootKey) -> None:
    path = secret_file(tmp_path, PASSPHRASE.encode())
    opened = PassphrasePlace(tmp_path / "root.key", tmp_path, OperatorSecret(path), CHEAP)
    opened.check()
    path.unlink()
    assert opened.load().fingerprint == made.fingerprint


def test_the_file_says_nothing_and_is_never_replaced(tmp_path: Path, made: RootKey) -> None:
    path = tmp_path / "root.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_bytes()
    assert PASSPHRASE.encode() not in content
    assert made.fingerprint.encode() not in content
    with pytest.raises(OperatorError, match="cannot create"):
        source(tmp_path).create()
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "parameters",
    ["scrypt,20,8,1", "scrypt,63,8,1", "scrypt,13,8,1", "scrypt,14,9,1", "scrypt,14,8,9", "scrypt,14,8,0", "pbkdf2,14,8,1"],
)  # fmt: skip
def test_a_forged_cost_is_refused_before_any_work(tmp_path: Path, made: RootKey, parameters: str) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(path.read_bytes().replace(b"scrypt,14,8,1", parameters.encode()))
    with pytest.raises(OperatorError, match="is not a sealed root key file"):
        source(tmp_path).load()


def changed_digit(content: bytes) -> bytes:
    return content[:-2] + (b"0" if content[-2:-1] != b"0" else b"1") + b"\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b",14,8,1,", b",14,8,2,"),
        lambda content: content.replace(b",14,8,1,", b",15,8,1,"),
        lambda content: content.replace(b" 1 passphrase 1 ", b" 1 passphrase 2 "),
        lambda content: re.sub(rb",[0-9a-f]{32} ", b"," + b"0" * 32 + b" ", content),
        changed_digit,
    ],
    ids=["passes", "memory", "version", "salt", "sealed"],
)  # fmt: skip
def test_whatever_is_altered_in_the_file_opens_nothing(
    tmp_path: Path, made: RootKey, change: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "root.key"
    altered = change(path.read_bytes())
    assert altered != path.read_bytes()
    path.write_bytes(altered)
    with pytest.raises(OperatorError, match="not the passphrase"):
        source(tmp_path).load()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: b"", "is not a sealed"), (lambda content: content[:-1], "is not a sealed"),
        (lambda content: content + b"\n", "is not a sealed"), (lambda content: content.upper(), "is not a sealed"),
        (lambda content: content.replace(b" passphrase ", b" shares "), "--root-key shares"),
        (lambda content: content[:-2] + b"\n", "is not a sealed"),
    ],
    ids=range(6),
)  # fmt: skip
def test_anything_else_is_no_sealed_root_key(
    tmp_path: Path, made: RootKey, change: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(OperatorError, match=said):
        source(tmp_path).load()


def test_a_weak_passphrase_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="at least 12"):
        source(tmp_path, "elevenchars").create()
    assert not (tmp_path / "root.key").exists()


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"", 0o600, "is empty"), (b"\n", 0o600, "is empty"), (b"one\ntwo\n", 0o600, "one line"),
        (b"x" * 1_025, 0o600, "1024"), (b"\xff" * 20, 0o600, "UTF-8"), (b"a passphrase", 0o640, "chmod 600"),
    ],
    ids=range(6),
)  # fmt: skip
def test_what_is_no_passphrase_is_refused(tmp_path: Path, content: bytes, mode: int, said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        OperatorSecret(secret_file(tmp_path, content, mode)).ask("Passphrase")


def test_a_credential_of_systemd_may_be_the_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = secret_file(tmp_path, b"a passphrase", 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert OperatorSecret(path).ask("Passphrase") == "a passphrase"
    path.chmod(0o444)
    with pytest.raises(OperatorError, match="by others"):
        OperatorSecret(path).ask("Passphrase")


def test_a_descriptor_is_read_to_its_line_and_closed(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"a passphrase\n")
    assert OperatorSecret(descriptor=reader).ask("Passphrase") == "a passphrase"
    with pytest.raises(OperatorError, match=f"--root-passphrase-fd {reader}"):
        OperatorSecret(descriptor=reader).ask("Passphrase")
    os.close(writer)
    with pytest.raises(OperatorError, match="give either"):
        OperatorSecret(tmp_path / "file", 3)


ASK = """
import os, sys
from kms_server.errors import OperatorError
from kms_server.root_keys.operator_secret import OperatorSecret

if sys.argv[1:]:
    os.open(sys.argv[1], os.O_RDWR)  # the first terminal of a session without one becomes its own
try:
    print(f"[{OperatorSecret().ask('Passphrase', twice=True)}]")
except OperatorError as error:
    print(f"[{error}]")
"""


def asking(*terminal: str) -> subprocess.Popen[str]:
    """A process in a session of its own, at that terminal or at none."""
    return subprocess.Popen(
        [sys.executable, "-c", ASK, *terminal], start_new_session=True, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (["a passphrase", "a passphrase"], "[a passphrase]\n"),
        (["a passphrase", "another one"], "[the two were not the same passphrase: start again]\n"),
    ],
)
def test_a_terminal_is_asked_twice_and_shows_nothing(typed: list[str], answer: str) -> None:
    ours, its = pty.openpty()
    process = asking(os.ttyname(its))
    shown = b""
    for line, prompt in zip(typed, (b"Passphrase: ", b"Passphrase, again: "), strict=True):
        while not shown.endswith(prompt):
            shown += os.read(ours, 1_000)
        os.write(ours, line.encode() + b"\n")
    assert process.communicate()[0] == answer
    os.close(its)
    os.close(ours)
    assert b"passphrase" not in shown


def test_without_a_terminal_it_says_what_to_give() -> None:
    assert "--root-passphrase-file" in asking().communicate()[0]
