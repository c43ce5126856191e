"""What an operator meets: wrong starts, TLS, the AWS CLI."""

import base64
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from pysqlite3 import dbapi2

from tests.functional.command_line import refused, serve
from tests.functional.server_process import ServerProcess, StartServer


def test_an_occupied_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(serve("--port", port, "--data-dir", str(tmp_path / "data")), "cannot listen", port)
    assert not (tmp_path / "data").exists()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(serve("--data-dir", str(tmp_path / "file" / "data")), "cannot create the directory")


def test_a_second_server(start_server: StartServer) -> None:
    server = start_server()
    refused(serve(*server.where()), "another server is using")


def test_root_keys(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    other = start_server()
    for one in (server, other):
        one.stop()
    path = server.data_dir / "root.key"
    kept = path.read_bytes()
    path.unlink()
    refused(serve(*server.where()), "cannot read the root key")
    path.write_bytes((other.data_dir / "root.key").read_bytes())
    path.chmod(0o600)
    refused(serve(*server.where()), "is not the one")
    path.write_bytes(kept)
    path.chmod(0o644)
    refused(serve(*server.where()), "chmod 600")
    path.chmod(0o600)
    server.restart()
    server.client("kms").list_keys()


@pytest.mark.embedded("a changed file")
def test_a_database_from_a_newer_version(start_server: StartServer) -> None:
    server = start_server()
    assert server.stop() == 0
    database = dbapi2.connect(str(server.data_dir / "keys.db"))
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.execute("UPDATE settings SET value = '9999' WHERE name = 'schema_serves'")
    database.commit()
    refused(serve(*server.where()), "newer version", "nothing was changed")
    refused(server.cli("quota", "list", check=False), "newer version")
    assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    database.close()


def test_modes_do_not_mix(start_server: StartServer) -> None:
    server = start_server()
    server.stop()
    refused(serve("--dev", *server.where()), "created in strict mode")


def test_a_command_as_a_process_of_its_own(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(workers=1)
    command = [sys.executable, "-m", "kms_server.cli.main", "seed", "-"]
    text = f"Keys: [{{KeyId: {uuid4()}, Material: {{Hex: {'5c' * 32}}}}}]"
    for where, ends, said in (
        (server.where(), 0, "keys made: 1"),
        (["--data-dir", str(tmp_path / "tpyo")], 2, "no server in"),
    ):
        done = subprocess.run(
            [*command, *where], input=text, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == ends
        (line,) = (done.stdout + done.stderr).splitlines()
        assert said in line
    assert len(server.client("kms").list_keys()["Keys"]) == 1


def test_plain_http_stays_on_loopback(tmp_path: Path) -> None:
    refused(serve("--host", "0.0.0.0", "--data-dir", str(tmp_path / "x")), "plain HTTP")


def test_tls(start_server: StartServer) -> None:
    server = start_server("--tls-auto")
    assert server.url.startswith("https://")
    kms = server.client("kms")
    kms.create_key()
    record = server.audit_records()[-1]
    assert record["tlsDetails"]["tlsVersion"] == "TLSv1.3"
    for name in ("ca.key", "server.key"):
        assert (server.data_dir / "tls" / name).stat().st_mode & 0o777 == 0o600


def aws(server: ServerProcess, *arguments: str) -> str:
    """The AWS CLI, unmodified, with nothing but credentials.env."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "awscli", *arguments], capture_output=True, text=True, timeout=120,
        check=False, env=environment | server.credentials(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_aws_cli(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    key = json.loads(aws(server, "kms", "create-key"))["KeyMetadata"]["KeyId"]
    (tmp_path / "plain").write_bytes(b"hello")
    sealed = json.loads(
        aws(server, "kms", "encrypt", "--key-id", key, "--plaintext", f"fileb://{tmp_path / 'plain'}")
    )["CiphertextBlob"]
    (tmp_path / "sealed").write_bytes(base64.b64decode(sealed))
    opened = json.loads(aws(server, "kms", "decrypt", "--ciphertext-blob", f"fileb://{tmp_path / 'sealed'}"))
    assert opened["Plaintext"] == "aGVsbG8="
    events = json.loads(aws(server, "cloudtrail", "lookup-events"))["Events"]
    assert {event["EventName"] for event in events} == {"CreateKey", "Encrypt", "Decrypt"}
