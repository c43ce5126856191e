"""The drill of docs/backup.md: load, a backup under load, the loss of everything, a restore, and nothing is missing."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest

from tests.backups import Vault, modes
from tests.databases import new_url
from tests.functional.command_line import refused, run
from tests.functional.server_process import Access, ServerProcess, StartServer

GRANTEE = "arn:aws:iam::000000000000:root"


class Load:
    """Clients that encrypt under keys, old and new, until they are told to stop; `sealed` is what was acknowledged."""

    def __init__(self, access: Access, keys: list[str]) -> None:
        self.sealed: list[tuple[bytes, bytes]] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(access, key)) for key in keys]

    def _run(self, access: Access, key: str) -> None:
        kms = access.client("kms")
        while not self._stop.is_set():
            fresh = kms.create_key()["KeyMetadata"]["KeyId"]
            kms.tag_resource(KeyId=fresh, Tags=[{"TagKey": "a", "TagValue": "b"}])
            for name in (key, fresh, key):
                plaintext = uuid4().bytes
                blob = kms.encrypt(KeyId=name, Plaintext=plaintext)["CiphertextBlob"]
                self.sealed.append((blob, plaintext))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_drill(
    database: str, start_server: StartServer, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    postgres = request.getfixturevalue("postgres") if database == "postgresql" else None
    safe = tmp_path / "safe"
    safe.mkdir()
    options = ["--database-url", new_url(postgres)] if postgres else []
    server = start_server(*options, env={"KMS_SERVER_ROOT_KEY": f"file:{safe / 'root.key'}"})
    kms, access = server.client("kms"), server.access
    keys = [kms.create_key(Description=name)["KeyMetadata"]["Arn"] for name in ("one", "two")]
    kms.create_alias(AliasName="alias/one", TargetKeyId=keys[0])
    kms.create_grant(KeyId=keys[1], GranteePrincipal=GRANTEE, Operations=["Decrypt"])
    policy = json.loads(kms.get_key_policy(KeyId=keys[0])["Policy"]) | {"Id": "mine"}
    kms.put_key_policy(KeyId=keys[0], Policy=json.dumps(policy))
    vault = Vault(tmp_path)
    with Load(access, keys) as load:
        server.wait_for(lambda: len(load.sealed) > 12)
        acknowledged = list(load.sealed)
        backup = tmp_path / "kms.backup"
        server.cli("backup", str(backup), *vault.recipient)
    server.kill9()
    shutil.rmtree(server.data_dir)
    if postgres:
        server.options = ("--database-url", postgres.new_database(uuid4().hex))
    server.cli("restore", str(backup), *vault.identity)
    assert modes(server.data_dir) == {("directory", 0o700), ("file", 0o600)}
    server.restart()
    check(server, access.client("kms"), keys, acknowledged)


def check(server: ServerProcess, kms: Any, keys: list[str], acknowledged: list[tuple[bytes, bytes]]) -> None:
    for blob, plaintext in acknowledged:
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext
    assert kms.describe_key(KeyId="alias/one")["KeyMetadata"]["Description"] == "one"
    assert len(kms.list_grants(KeyId=keys[1])["Grants"]) == 1
    assert json.loads(kms.get_key_policy(KeyId=keys[0])["Policy"])["Id"] == "mine"
    told = json.loads(server.cli("audit", "verify", "--format", "json").stdout)
    assert [one["severity"] for one in told["findings"]] == ["notice"]
    names = [record["eventName"] for record in server.audit_records()]
    assert names.count("CreateBackup") == 1
    assert names.count("RestoreBackup") == 1
    assert names.count("Encrypt") >= len(acknowledged)
    assert names.count("Decrypt") == len(acknowledged)


@pytest.mark.embedded("what the backup says of it")
def test_passphrases_and_damage(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(workers=1)
    where = server.where()
    backup, secret = tmp_path / "a.backup", tmp_path / "secret"
    secret.write_text("correct horse battery\n")
    refused(run("backup", str(backup), "--passphrase-file", str(secret), *where), "can be read by others")
    secret.chmod(0o600)
    given = ["--passphrase-file", str(secret)]
    done = run("backup", str(backup), *given, *where)
    assert (done.returncode, "read again and whole" in done.stdout) == (0, True), done.stderr
    refused(run("backup", str(backup), *given, *where), "exists")
    refused(run("backup", str(tmp_path / "b"), *where), "no terminal", "--passphrase-fd")
    assert "whole" in run("backup", "verify", str(backup), *given).stdout
    said = json.loads(run("backup", "info", str(backup)).stdout)
    assert (said["database"], said["withRootKey"]) == ("sqlite", False)
    damaged = bytearray(backup.read_bytes())
    damaged[-1] ^= 1
    backup.write_bytes(damaged)
    new = tmp_path / "new"
    root = ["--root-key", f"file:{server.data_dir / 'root.key'}"]
    for command in (
        ["backup", "verify", str(backup)],
        ["restore", str(backup), *root, "--data-dir", str(new)],
    ):
        refused(run(*command, *given), "the backup is damaged: its bytes", "were changed")
    assert {one.name for one in tmp_path.iterdir()} >= {"a.backup", "secret"}
    assert not [one for one in tmp_path.iterdir() if one.name in ("new", "b") or "unfinished" in one.name]
