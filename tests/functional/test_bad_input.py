"""Files and values that an operator gets wrong: one line and exit code 2, and nothing done."""

from pathlib import Path

import pytest

from tests.functional.command_line import refused, run, serve
from tests.functional.server_process import StartServer


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff", ["is not TOML"]),
        (b"a = " + b"[" * 5_000, ["is not TOML"]),
        (b"data-dir = 5", ["data-dir", "a string"]),
        (b"workers = '3'", ["workers", "an integer"]),
        (b"workers = true", ["workers", "an integer"]),
        (b"dev = 'yes'", ["dev", "true or false"]),
        (b"host = ['a']", ["host", "a string"]),
        (b"wrokers = 3\nbanana = 1", ["banana, wrokers"]),
        (b"[serve]\nport = 1", ["serve"]),
        (b"config = 'other.toml'", ["config"]),
    ],
)
def test_a_configuration_that_cannot_be_used(tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "kms.toml"
    path.write_bytes(content)
    refused(serve("--config", str(path), "--data-dir", str(tmp_path / "data")), str(path), *words)
    assert not (tmp_path / "data").exists()


@pytest.mark.embedded("a file that names no database")
def test_one_configuration_serves_all_commands(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    server.client("kms").create_key()
    path = tmp_path / "kms.toml"
    path.write_text(f"data-dir = '{server.data_dir}'\nworkers = 3\nformat = 'jsonl'\nlimit = 1\nrate = 7\n")
    done = run("audit", "query", "--config", str(path))
    assert done.stdout.startswith('{"eventVersion"'), done.stderr
    assert len(done.stdout.splitlines()) == 1
    path.write_text(f"data_dir = '{server.data_dir}'\nrate = 7\n")
    assert run("quota", "set", "--quota", "CreateKey", "--config", str(path)).returncode == 0
    assert "CreateKey  7/s" in run("quota", "list", "--config", str(path)).stdout


def test_a_policy_that_is_no_text(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    path = tmp_path / "policy.json"
    path.write_bytes(b'{"Version": "\xff"}')
    refused(server.cli("identity", "create-user", "x", "--policy", str(path), check=False), str(path))


@pytest.mark.embedded("a damaged file")
def test_a_database_that_is_none(start_server: StartServer) -> None:
    server = start_server()
    server.stop()
    path = server.data_dir / "keys.db"
    for name in ("keys.db-wal", "keys.db-shm"):
        (server.data_dir / name).unlink(missing_ok=True)
    path.write_bytes(b"not a database at all" * 400)
    refused(serve("--data-dir", str(server.data_dir)), str(path), "not a database", "backup")
    refused(server.cli("identity", "list", check=False), str(path), "not a database")
    assert path.read_bytes() == b"not a database at all" * 400


@pytest.mark.parametrize(
    "arguments",
    [
        "quota set --quota CreateKey --rate 5 --account zzz",
        "quota unset --quota CreateKey --account 12345678901",
        "identity list --account nope",
        "identity create-account 1234567890123",
        "identity create-key --root --account x",
        "identity create-user bob --admin --account ١٢٣٤٥٦٧٨٩٠١٢",
        "audit query --account 1",
    ],
)
def test_what_is_no_account(arguments: str) -> None:
    refused(run(*arguments.split()), arguments.rsplit(maxsplit=1)[-1], "account id")


@pytest.mark.parametrize(
    "arguments", ["quota set --quota CreateKey --rate 5", "quota unset --key x", "quota list", "audit query"]
)
def test_what_is_no_region(arguments: str) -> None:
    for text in ("", "nowhere"):
        refused(run(*arguments.split(), "--region", text), repr(text), "Region")


@pytest.mark.parametrize("name", ["bobé", "", "a" * 65, "a b", "bob\n"])
def test_what_is_no_user_name(tmp_path: Path, name: str) -> None:
    refused(
        run("identity", "create-user", name, "--admin", "--data-dir", str(tmp_path)), "is not a user name"
    )


@pytest.mark.parametrize("command", ["migrate", "identity list", "clock show"])
def test_a_mistyped_directory(tmp_path: Path, command: str) -> None:
    path = tmp_path / "tpyo"
    refused(run(*command.split(), "--data-dir", str(path)), f"no server in {path}")
    assert not path.exists()
