"""The root key changes under load: no call fails, everything opens, and whoever is killed goes on."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functional.importing import KEPT, bring, parcel
from tests.functional.root_commands import killed_rotation, status_of
from tests.functional.server_process import ServerProcess, StartServer
from tests.softhsm import make_token


class Client:
    """Calls in threads, whatever clients hold, and what has failed."""

    def __init__(self, server: ServerProcess) -> None:
        self.server, self.kms = server, server.client("kms")
        self.keys = [self.kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(4)]
        self.ciphertexts = [self.encrypted(key) for key in self.keys]
        self.imported = self.kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        bring(self.kms, self.imported, b"i" * 32)
        self.ciphertexts.append(self.encrypted(self.imported))
        self.parts = parcel(self.kms, self.imported, b"i" * 32)
        grantee = {"GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": ["Encrypt"]}
        self.grant_token = self.kms.create_grant(KeyId=self.keys[0], **grantee)["GrantToken"]
        everything = {"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}
        got = server.user_client("sts", "mira", everything).get_session_token()["Credentials"]
        self.session: dict[str, str] = {
            "aws_access_key_id": got["AccessKeyId"], "aws_secret_access_key": got["SecretAccessKey"],
            "aws_session_token": got["SessionToken"],
        }  # fmt: skip
        self.failures: list[str] = []
        self.calls = 0
        self._stop = threading.Event()

    def encrypted(self, key: str) -> tuple[bytes, bytes]:
        return self.kms.encrypt(KeyId=key, Plaintext=key.encode())["CiphertextBlob"], key.encode()

    def check(self) -> None:
        """Whatever was made and handed out before is good for what it was."""
        kms = self.server.client("kms", **self.session)
        for sealed, plain in self.ciphertexts:
            assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == plain
        kms.encrypt(KeyId=self.keys[0], Plaintext=b"x", GrantTokens=[self.grant_token])
        kms.import_key_material(**self.parts, ExpirationModel=KEPT)

    def during(self, change: Callable[[], object]) -> None:
        """Let four threads call while something changes."""
        users = [self._use, self._use, self._make, self._use_session]
        threads = [threading.Thread(target=self._repeat, args=(one,)) for one in users]
        for thread in threads:
            thread.start()
        try:
            change()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _repeat(self, use: Callable[[Any], None]) -> None:
        kms = self.server.client("kms", **(self.session if use == self._use_session else {}))
        while not self._stop.is_set():
            try:
                use(kms)
                self.calls += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not happen
                self.failures.append(repr(error))

    def _use(self, kms: Any) -> None:
        for sealed, plain in self.ciphertexts:
            assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == plain

    def _make(self, kms: Any) -> None:
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.rotate_key_on_demand(KeyId=key)
        self.ciphertexts.append((kms.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"], b"y"))

    def _use_session(self, kms: Any) -> None:
        kms.encrypt(KeyId=self.keys[0], Plaintext=b"x", GrantTokens=[self.grant_token])


def test_no_call_fails_while_the_root_key_changes_and_moves(
    start_server: StartServer, tmp_path: Path
) -> None:
    server, elsewhere = start_server(), tmp_path / "elsewhere.key"
    client = Client(server)

    def change() -> None:
        server.cli("root", "rotate", "--shred")
        server.kill_a_worker()
        server.cli("root", "migrate", "--to", f"file:{elsewhere}", "--shred")

    client.during(change)
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

    def change() -> None:
        server.cli("root", "rotate")
        for home in homes:
            server.cli("root", "migrate", "--to", home)

    client.during(change)
    assert client.failures == []
    assert client.calls > 20
    status = status_of(server.data_dir)
    assert [one["state"] for one in status["versions"]] == ["retired"] * 4 + ["current"]
    assert [one["place"] for one in status["versions"][2:]] == homes
    server.stop()
    for home in (server.data_dir / "root.key", sealed, secret):
        home.unlink()
    server.options += ("--root-key", f"file:{last}")
    server.restart()
    client.check()


def test_a_killed_server_and_a_killed_command_go_on(start_server: StartServer) -> None:
    server = start_server()
    client = Client(server)
    assert killed_rotation(server.data_dir, fatal=4)
    server.kill9()
    server.restart()
    client.check()
    status = status_of(server.data_dir)
    assert [one["state"] for one in status["versions"]] == ["former", "current"]
    assert len(status["processes"]) == 2
    server.cli("root", "rotate", "--shred")
    client.check()
    assert len((server.data_dir / "root.key").read_bytes().splitlines()) == 1
