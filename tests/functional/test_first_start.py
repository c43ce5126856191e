"""The first start makes everything or nothing; a later one does not begin anew beside what is left."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.server.startup import prepare
from tests.databases import new_url
from tests.functional.command_line import refused, serve
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres
from tests.softhsm import make_token

KMS_KEY = "kms:arn:aws:kms:eu-west-1:000000000000:key/1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--root-key", "foo"], ["file:PATH"]),
        (["--root-key", "file:/nonexistent/x"], ["/nonexistent"]),
        (["--root-key", "file:/dev/null"], ["/dev/null"]),
        (["--root-key", "passphrase:/nonexistent/x"], ["/nonexistent", "--root-key passphrase:PATH"]),
        (["--root-key", "shares:/nonexistent/x"], ["/nonexistent/x", "--root-key shares:PATH"]),
        (["--root-key", "kms:alias/x"], ["the ARN of a key"]),
        (["--root-key", KMS_KEY, "--root-kms-endpoint", "http://10.0.0.1"], ["needs https"]),
        (["--root-key", KMS_KEY, "--root-kms-endpoint", "http://127.0.0.1"], ["AWS_ACCESS_KEY_ID"]),
        (
            ["--root-passphrase-fd", "3", "--root-passphrase-file", "/x", "--root-key", "shares:/x"],
            ["give either"],
        ),
        (["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], ["cannot use the certificate"]),
    ],
)
def test_a_start_that_must_fail_leaves_nothing(tmp_path: Path, options: list[str], words: list[str]) -> None:
    refused(serve("--data-dir", str(tmp_path / "data"), *options), *words)
    assert not (tmp_path / "data").exists()


def test_a_root_key_is_made_where_it_is_wanted(start_server: StartServer, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.key"
    server = start_server("--root-key", f"file:{elsewhere}", from_nothing=True)
    server.client("kms").create_key()
    assert elsewhere.exists()
    inside = tmp_path / "server-1" / "data" / "own.key"
    start_server("--root-key", f"file:{inside}", from_nothing=True).client("kms").create_key()
    assert inside.exists()


def test_a_lost_database_is_not_replaced_by_an_empty_one(start_server: StartServer) -> None:
    server = start_server(from_nothing=True)
    server.client("kms").create_key()
    server.stop()
    database = server.data_dir / "keys.db"
    for kept in server.data_dir.glob("keys.db*"):
        kept.rename(server.data_dir.parent / kept.name)
    refused(serve("--data-dir", str(server.data_dir)), "keys.db", "restore", "empty directory")
    assert not database.exists()
    for kept in server.data_dir.parent.glob("keys.db*"):
        kept.rename(server.data_dir / kept.name)
    server.restart()
    assert len(server.client("kms").list_keys()["Keys"]) == 1


def test_tls_may_come_later(start_server: StartServer) -> None:
    server = start_server(from_nothing=True)
    server.stop()
    server.options += ("--tls-auto",)
    server.restart()
    server.client("kms").create_key()


def test_hosts_that_start_at_once_on_an_empty_database_are_one_service(
    postgres: Postgres, tmp_path: Path
) -> None:
    url, root = postgres.new_database(uuid4().hex), tmp_path / "shared.key"

    def host(number: int) -> ServerProcess:
        directory = tmp_path / str(number)
        directory.mkdir()
        options = ("--database-url", url, "--root-key", f"file:{root}")
        return ServerProcess(directory, *options, workers=1)

    with ThreadPoolExecutor(4) as starting, ExitStack() as stack:
        hosts = list(starting.map(host, range(4)))
        for one in hosts:
            stack.callback(one.stop)
        (first,) = [one for one in hosts if (one.data_dir / "credentials.env").exists()]
        told = [one for one in hosts if "root credentials are in" in one.log.read_text()]
        assert told == [first]
        key = first.client("kms").create_key()["KeyMetadata"]["KeyId"]
        for one in hosts:
            kms = replace(first.access, url=one.url).client("kms")
            blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
            assert first.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        assert not any("Traceback" in one.log.read_text() for one in hosts)
    with psycopg.connect(url) as connection:
        counted = "SELECT (SELECT count(*) FROM alembic_version), (SELECT count(*) FROM access_keys)"
        assert connection.execute(counted).fetchone() == (1, 1)


def test_of_hosts_with_root_keys_of_their_own_one_is_first(postgres: Postgres, tmp_path: Path) -> None:
    url = new_url(postgres)
    hosts = [Settings(data_dir=tmp_path / str(number), database_url=url) for number in range(4)]

    def problem(host: Settings) -> str | None:
        try:
            prepare(host)
        except OperatorError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(len(hosts)) as starting:
        problems = list(starting.map(problem, hosts))
    others = [one for one in problems if one is not None]
    assert len(others) == 3
    assert all("root key" in one for one in others)
    (first,) = [host for host, told in zip(hosts, problems, strict=True) if told is None]
    assert [host for host in hosts if host.credentials_file.exists()] == [first]
    prepare(first)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM access_keys").fetchone() == (1,)


def test_a_root_key_under_a_passphrase(start_server: StartServer, tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("correct horse battery\n")
    sealed = tmp_path / "root.sealed"
    told = {
        "KMS_SERVER_ROOT_KEY": f"passphrase:{sealed}",
        "KMS_SERVER_ROOT_PASSPHRASE_FILE": str(passphrase),
    }
    server = start_server(env=told, workers=1)
    blob = server.client("kms").encrypt(
        KeyId=server.client("kms").create_key()["KeyMetadata"]["KeyId"], Plaintext=b"x"
    )
    server.cli("identity", "create-key", "--root", "--account", "000000000000")
    # A new worker asks nobody.
    passphrase.rename(tmp_path / "away")
    (before,) = server.worker_pids()
    server.kill_a_worker()
    server.wait_for(lambda: server.worker_pids() not in ([], [before]))
    assert (
        server.client("kms", max_attempts=5).decrypt(CiphertextBlob=blob["CiphertextBlob"])["Plaintext"]
        == b"x"
    )
    server.stop()
    passphrase.touch(mode=0o600)
    passphrase.write_text("correct horse buttery\n")
    refused(serve("--data-dir", str(server.data_dir), **told), "not the passphrase", str(sealed))
    assert "correct" not in server.log.read_text()


def test_a_root_key_in_a_token(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
    token = make_token(tmp_path, monkeypatch)
    told = {"KMS_SERVER_ROOT_KEY": token.uri("root"), "SOFTHSM2_CONF": str(token.conf)}
    server = start_server(env=told)
    kms = server.client("kms", max_attempts=5)
    blob = kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    server.cli("identity", "create-key", "--root", "--account", "000000000000")
    before = server.all_worker_pids()
    server.kill_a_worker()
    server.wait_for(lambda: len(set(server.worker_pids()) - {before[0]}) == 2)
    for _ in range(6):
        assert server.client("kms", max_attempts=5).decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    server.stop()
    refused(
        serve(*server.where(), **told | {"KMS_SERVER_ROOT_KEY": token.uri("other")}),
        "no key", "'other'",
    )  # fmt: skip
