"""The root key changes under load: no call fails, everything opens, and whoever is killed goes on."""

from pathlib import Path

import pytest

from tests.functional.root_clients import Client
from tests.functional.root_commands import killed_rotation, status_at
from tests.functional.server_process import StartServer
from tests.softhsm import make_token


def test_no_call_fails_while_the_root_key_changes_and_moves(
    start_server: StartServer, tmp_path: Path
) -> None:
    server, elsewhere = start_server(), tmp_path / "elsewhere.key"
    client = Client(server)
    with client.calling():
        server.cli("root", "rotate", "--shred")
        server.kill_a_worker()
        server.cli("root", "migrate", "--to", f"file:{elsewhere}", "--shred")
    assert [one for one in client.failures if "Connection" not in one] == []
    assert client.calls > 20
    client.check()
    assert not (server.data_dir / "root.key").exists()
    server.kill9()
    server.restart()
    client.check()
    server.stop()
    server.options += ("--root-key", f"file:{elsewhere}")
    server.restart()
    client.check()
    assert server.cli("audit", "verify").returncode == 0


@pytest.mark.soak
def test_no_call_fails_while_the_root_key_goes_through_homes_of_all_kinds(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
    token, secret = make_token(tmp_path, monkeypatch), tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text("correct horse battery\n")
    server = start_server(
        env={"KMS_SERVER_ROOT_PASSPHRASE_FILE": str(secret), "SOFTHSM2_CONF": str(token.conf)}
    )
    client, sealed, last = Client(server), tmp_path / "root.sealed", tmp_path / "last.key"
    homes = [f"passphrase:{sealed}", token.uri("root"), f"file:{last}"]

    with client.calling():
        server.cli("root", "rotate")
        for home in homes:
            server.cli("root", "migrate", "--to", home)
    assert client.failures == []
    assert client.calls > 20
    status = status_at(server)
    assert [one["state"] for one in status["versions"]] == ["retired"] * 4 + ["current"]
    assert [one["place"] for one in status["versions"][2:]] == homes
    server.stop()
    for former in (server.data_dir / "root.key", sealed, secret):
        former.unlink()
    server.options += ("--root-key", f"file:{last}")
    server.restart()
    client.check()


def test_a_killed_server_and_a_killed_command_go_on(start_server: StartServer) -> None:
    server = start_server()
    client = Client(server)
    assert killed_rotation(*server.where(), fatal=4)
    server.kill9()
    server.restart()
    client.check()
    status = status_at(server)
    assert [one["state"] for one in status["versions"]] == ["former", "current"]
    assert len(status["processes"]) == 2
    server.cli("root", "rotate", "--shred")
    client.check()
    assert len((server.data_dir / "root.key").read_bytes().splitlines()) == 1
