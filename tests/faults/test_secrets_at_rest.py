"""No secret is found at rest: not in the files, not in logs, not in process command lines."""

import base64
import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pysqlite3 import dbapi2
from sqlalchemy import text

from kms_server.root_keys.binding import material_binding
from kms_server.root_keys.file import FileRootKey
from kms_server.root_keys.ring import RootKeys
from tests.databases import Place, new_url
from tests.faults.planted import forms
from tests.functional.importing import KEPT, bring, parcel
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import start

PLAINTEXT = b"planted-plaintext-5f0b9c1e-2d47"


def materials(server: ServerProcess) -> Iterator[bytes]:
    """Every backing key, opened with the root key."""
    root = RootKeys([FileRootKey.load_all(server.data_dir / "root.key")[-1]], 1)
    query = "SELECT account, region, key_id, material_id, spec, usage, origin, wrapped FROM backing_keys JOIN keys USING (key_id, region)"
    with (
        closing(Place(server.data_dir, server.database_url).open()) as database,
        database.read() as connection,
    ):
        found = connection.execute(text(query)).all()
    for *bound, wrapped in found:
        names = ("account", "region", "key_id", "material_id", "spec", "usage", "origin")
        binding = material_binding(**dict(zip(names, bound, strict=True)))
        yield root.unwrap(wrapped, binding)


def places(server: ServerProcess, *others: Path) -> Iterator[tuple[str, bytes]]:
    for path in chain.from_iterable(directory.rglob("*") for directory in (server.data_dir, *others)):
        if path.is_file() and path.name not in ("root.key", "credentials.env"):
            yield str(path), path.read_bytes()
    yield "log", server.log.read_bytes()
    for pid in (server.pid, *server.worker_pids()):
        yield "command line", Path(f"/proc/{pid}/cmdline").read_bytes()


def send_malformed(server: ServerProcess, key: str) -> None:
    """A plaintext that is no base64, which the error text quotes to the caller."""
    kms = server.client("kms")
    body = json.dumps({"KeyId": key, "Plaintext": base64.b64encode(PLAINTEXT).decode()[:-3]})
    kms.meta.events.register(
        "before-sign.kms.Encrypt", lambda request, **_: setattr(request, "data", body.encode())
    )
    with pytest.raises(ClientError) as refused:
        kms.encrypt(KeyId=key, Plaintext=b"x")
    assert refused.value.response["Error"]["Code"] == "SerializationException"
    (record,) = server.audit_records("--error", "SerializationException")
    assert "errorMessage" not in record


@pytest.mark.embedded("it has the other one, too")
def test_nothing_is_found(start_server: StartServer) -> None:
    find_nothing(start_server(own_interpreter=True))


def test_nothing_is_found_in_postgresql(start_server: StartServer) -> None:
    postgres = start(
        Path(tempfile.mkdtemp(prefix="kms-pg-"))
    )  # what others leave in theirs takes long to read
    try:
        server = start_server("--database-url", new_url(postgres))
        find_nothing(server, postgres.directory / "data")
        server.stop()
    finally:
        postgres.stop()


def find_nothing(server: ServerProcess, *others: Path) -> None:
    """Use keys of all kinds; no file of the server, nor in other directories, has anything of what is secret of them."""
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(3):
        kms.rotate_key_on_demand(KeyId=key)
        sealed = kms.encrypt(KeyId=key, Plaintext=PLAINTEXT)["CiphertextBlob"]
        kms.decrypt(CiphertextBlob=sealed)
    send_malformed(server, key)
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
    access = server.new_access_key()
    told = use_other_kinds(kms, key)
    opened = list(materials(server))
    assert len(opened) == 7
    secrets = [*opened, *told, PLAINTEXT, data_key, access.secret.encode(), server.access.secret.encode()]
    for name, content in places(server, *others):
        for secret in secrets:
            for form in forms(secret):
                assert form not in content, name


def use_other_kinds(kms: Any, key: str) -> list[bytes]:
    """What calls on keys of other kinds disclose to their callers alone."""
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    kms.sign(KeyId=signing, Message=PLAINTEXT, SigningAlgorithm="ECDSA_SHA_256")
    capsule = kms.create_key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"]["KeyId"]
    shared = kms.encapsulate(KeyId=capsule, EncapsulationAlgorithm="ML_KEM")["SharedSecret"]
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")["PrivateKeyPlaintext"]
    imported = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    parts = parcel(kms, imported, b"imported material".ljust(32))
    kms.import_key_material(**parts, ExpirationModel=KEPT)
    grantee = {"GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": ["Encrypt"]}
    token = kms.create_grant(KeyId=key, **grantee)["GrantToken"]
    return [shared, pair, parts["ImportToken"], parts["EncryptedKeyMaterial"], token.encode()]


@pytest.mark.embedded("PostgreSQL keeps deleted rows until it vacuums")
def test_deleted_imported_material_leaves_nothing(start_server: StartServer) -> None:
    server = start_server()
    kms = server.client("kms")
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    bring(kms, key, bytes(32))
    connection = dbapi2.connect(str(server.data_dir / "keys.db"))
    (wrapped,) = connection.execute("SELECT wrapped FROM backing_keys WHERE key_id = ?", (key,)).fetchone()
    connection.close()
    assert any(wrapped in content for _, content in places(server))
    kms.delete_imported_key_material(KeyId=key)
    server.wait_for(lambda: not any(wrapped in content for _, content in places(server)))


@pytest.mark.embedded("PostgreSQL keeps deleted rows until it vacuums")
def test_a_deleted_key_leaves_nothing(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    connection = dbapi2.connect(str(server.data_dir / "keys.db"))
    (wrapped,) = connection.execute("SELECT wrapped FROM backing_keys WHERE key_id = ?", (key,)).fetchone()
    connection.close()
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert any(wrapped in content for _, content in places(server))
    server.cli("clock", "advance", "8d")
    server.wait_for(lambda: not any(wrapped in content for _, content in places(server)))


def test_files_are_private(start_server: StartServer) -> None:
    server = start_server("--tls-auto")
    server.client("kms").create_key()
    for path in (server.data_dir, *server.data_dir.rglob("*")):
        public = path.suffix == ".pem"
        assert public or path.stat().st_mode & 0o077 == 0, path
