"""One server that did all it can, verbose and without a umask: no secret on any surface, no file that others may open."""

import os
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pysqlite3 import dbapi2

from tests.faults.planted import Planted, files, forms, processes
from tests.faults.test_secrets_at_rest import materials
from tests.functional.importing import KEPT, parcel
from tests.functional.s3_client import new_bucket, s3_client
from tests.functional.server_process import Access, ServerProcess
from tests.trail_setup import begin_trail, directory_config

pytestmark = pytest.mark.soak
PLAINTEXT = b"planted-plaintext-77c0fd4e"
MATERIAL = b"planted imported material 0x5f!!"
CUSTOMER_KEY = b"planted-customer-key-4f6d0a9c-32"
# Secrets by their nature, whose owner alone may read them.
KEPT_SECRET = {"root.key", "credentials.env", "ca.key", "server.key"}
# What Python runs before anything else: the log at its most verbose, and a careless umask.
VERBOSE = """
import functools, logging, os
os.umask(0)
logging.basicConfig = functools.partial(lambda configure, **told: configure(**told | {"level": logging.DEBUG}), logging.basicConfig)
logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)  # each statement with its parameters, each row
"""


class Scene(NamedTuple):
    """A server, what nobody may learn, what its callers and operators were told beside that, and where files are."""

    server: ServerProcess
    planted: Planted
    told: list[tuple[str, bytes]]
    directories: tuple[Path, ...]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    home = tmp_path_factory.mktemp("surfaces")
    site, temporary, logs = (home / name for name in ("site", "tmp", "logs"))
    for directory in (site, temporary):
        directory.mkdir(mode=0o700)
    (site / "sitecustomize.py").write_text(VERBOSE)
    config = directory_config(home, logs=logs)
    root = Path(__file__).parents[2]
    (home / "server").mkdir()
    server = ServerProcess(
        home / "server", "--tls-auto", "--config", str(config), "--audit-delivery-interval", "1",
        "--limit-log", str(home / "limits.log"), own_interpreter=True, from_nothing=True,
        env={"PYTHONPATH": f"{site}:{root}", "TMPDIR": str(temporary), "KMS_SERVER_FAULT_INJECTION": "1"},
    )  # fmt: skip
    before = os.umask(0)
    try:
        told: list[tuple[str, bytes]] = []
        secrets = {**use_keys(server, told), **use_objects(server, told), **use_sessions(server, told)}
        begin_trail(server, "logs")
        server.client("kms").generate_random(NumberOfBytes=8)
        server.wait_for(lambda: any(logs.rglob("*.json.gz")))
        told += [(name, output.encode()) for name, output in exported(server)]
    finally:
        os.umask(before)
    secrets |= {f"material {number}": one for number, one in enumerate(materials(server))}
    yield Scene(server, Planted(secrets), told, (server.data_dir, logs, temporary))
    assert server.stop() == 0


def refused(told: list[tuple[str, bytes]], call: Any, **arguments: Any) -> None:
    """A call that fails: all of the answer is told."""
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    told.append((f"error of {call.__name__}", repr(failure.value.response).encode()))
    told.append((f"text of {call.__name__}", str(failure.value).encode()))


def use_keys(server: ServerProcess, told: list[tuple[str, bytes]]) -> dict[str, bytes]:
    """Calls of the KMS that succeed, that are refused, and that break."""
    kms = server.client("kms", data_path=True)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    imported = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    parts = parcel(kms, imported, MATERIAL)
    kms.import_key_material(**parts, ExpirationModel=KEPT)
    refused(told, kms.import_key_material, **parcel(kms, imported, bytes(32)), ExpirationModel=KEPT)
    sealed = kms.encrypt(KeyId=key, Plaintext=PLAINTEXT)["CiphertextBlob"]
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")["PrivateKeyPlaintext"]
    mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    refused(told, kms.verify_mac, KeyId=mac, Message=PLAINTEXT, MacAlgorithm="HMAC_SHA_256", Mac=bytes(32))
    refused(told, kms.encrypt, KeyId=key, Plaintext=PLAINTEXT, DryRun=True)
    refused(told, kms.encrypt, KeyId="alias/none", Plaintext=PLAINTEXT)
    refused(told, kms.encrypt, KeyId=mac, Plaintext=PLAINTEXT)
    refused(told, kms.decrypt, CiphertextBlob=sealed[:-1] + bytes((sealed[-1] ^ 1,)))
    kms.inject_fault(Error="KMSInternalException", Schedule="1", KeyId=key)
    refused(told, kms.encrypt, KeyId=key, Plaintext=PLAINTEXT)
    broken(server, told, key)
    return {
        "plaintext": PLAINTEXT, "imported": MATERIAL, "data key": data_key, "private key": pair,
        "root key": bytes.fromhex((server.data_dir / "root.key").read_text().split()[3]),
        "import token": parts["ImportToken"], "secret access key": server.access.secret.encode(),
        "another secret access key": server.new_access_key().secret.encode(),
    }  # fmt: skip


def broken(server: ServerProcess, told: list[tuple[str, bytes]], key: str) -> None:
    """Calls that meet a database which refuses to write, so that what they were about to write fails within it."""
    vandal = dbapi2.connect(str(server.data_dir / "keys.db"))
    tables = ("audit_events", "keys", "backing_keys", "access_keys")
    for table in tables:
        vandal.execute(
            f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    vandal.commit()
    kms = server.client("kms")
    refused(told, kms.create_key)
    refused(told, kms.rotate_key_on_demand, KeyId=key)
    refused(told, server.client("iam").create_access_key)
    for table in tables:
        vandal.execute(f"DROP TRIGGER refuse_{table}")
    vandal.commit()
    vandal.close()


def use_objects(server: ServerProcess, told: list[tuple[str, bytes]]) -> dict[str, bytes]:
    """Objects under all kinds of keys, and refusals of such."""
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER_KEY.decode()}
    for place, asked in {"a": {}, "b": {"ServerSideEncryption": "aws:kms"}, "c": customer}.items():
        s3.put_object(Bucket=bucket, Key=place, Body=PLAINTEXT * 5_000, **asked)
        s3.get_object(Bucket=bucket, Key=place, **({} if asked is not customer else customer))["Body"].read()
    refused(told, s3.get_object, Bucket=bucket, Key="c")
    refused(told, s3.get_object, Bucket=bucket, Key="c", **customer | {"SSECustomerKey": "k" * 32})
    refused(told, s3.get_object, Bucket=bucket, Key="none", **customer)
    stranger = Access(server.url, server.access.access_key_id, "x" * 40, server.access.verify)
    refused(told, s3_client(stranger).get_object, Bucket=bucket, Key="c", **customer)
    return {"customer's key": CUSTOMER_KEY}


def use_sessions(server: ServerProcess, told: list[tuple[str, bytes]]) -> dict[str, bytes]:
    """Temporary credentials that are used, rightly and wrongly."""
    made = server.client("sts").get_session_token()["Credentials"]
    right = {"aws_access_key_id": made["AccessKeyId"], "aws_session_token": made["SessionToken"]}
    kms = server.client("kms", aws_secret_access_key=made["SecretAccessKey"], **right)
    kms.list_keys()
    refused(told, server.client("kms", aws_secret_access_key="x" * 40, **right).list_keys)
    cut = right | {"aws_session_token": made["SessionToken"][:-8]}
    refused(told, server.client("kms", aws_secret_access_key=made["SecretAccessKey"], **cut).list_keys)
    signed_in_url = Config(signature_version="s3v4")
    s3 = server.client("s3", config=signed_in_url, aws_secret_access_key=made["SecretAccessKey"], **right)
    url = s3.generate_presigned_url("get_object", {"Bucket": "none", "Key": "k"})
    told.append(("presigned", fetched(server, url)))
    return {
        "session secret": made["SecretAccessKey"].encode(),
        "session token": made["SessionToken"].encode(),
    }


def fetched(server: ServerProcess, url: str) -> bytes:
    """The body of an answer, be it an error."""
    trust = ssl.create_default_context(cafile=server.access.verify)
    try:
        with urllib.request.urlopen(url, context=trust) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        return error.read()


def exported(server: ServerProcess) -> Iterator[tuple[str, str]]:
    """What commands tell of the server, and what it tells of itself."""
    for style in ("table", "jsonl", "csv"):
        yield f"audit query {style}", server.cli("audit", "query", "--format", style).stdout
    for command in ("audit stats", "audit verify", "quota usage", "s3 verify"):
        done = server.cli(*command.split(), check=False)
        yield command, done.stdout + done.stderr
    for path in ("metrics", "health", "ready", "openapi.yaml"):
        yield path, fetched(server, f"{server.url}/_kms/{path}").decode()
    done = server.cli("identity", "explain", "--request-id", "none", check=False)
    yield "identity explain", done.stdout + done.stderr


def test_no_secret_is_on_any_surface(scene: Scene) -> None:
    server = scene.server
    surfaces = [
        *scene.told, *files(*scene.directories, but=KEPT_SECRET), ("log", server.log.read_bytes()),
        *processes((server.pid, *server.worker_pids())),
    ]  # fmt: skip
    assert {name: found for name, content in surfaces if (found := scene.planted.found_in(content))} == {}
    # The log was verbose, and calls did break.
    log = server.log.read_bytes()
    assert b" DEBUG " in log
    assert b"INSERT INTO backing_keys" in log
    assert b"internal failure" in log
    assert len(surfaces) > 60


def test_a_secret_on_a_surface_would_be_found(scene: Scene) -> None:
    for form in forms(PLAINTEXT):
        assert scene.planted.found_in(b"x" + form + b"y") == ["plaintext"], form


def test_nobody_else_may_open_a_file(scene: Scene) -> None:
    made = [path for directory in scene.directories for path in (directory, *directory.rglob("*"))]
    made += [scene.server.data_dir.parent.parent / "limits.log"]
    assert {"audit", "state", "tls", "ca.pem", "keys.db"} <= {path.name for path in made}
    assert any(path.suffix == ".gz" for path in made)
    open_to_others = [f"{path} {path.stat().st_mode:o}" for path in made if path.stat().st_mode & 0o077]
    assert open_to_others == []
