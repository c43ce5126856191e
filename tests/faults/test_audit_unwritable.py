"""Without its record no call is answered; and a sync comes before each answer."""

import json
import resource
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from pysqlite3 import dbapi2

from tests.faults.traced import SYNCS, traced
from tests.functional.server_process import ServerProcess, StartServer

pytestmark = pytest.mark.embedded("its files")


def test_a_database_that_refuses(start_server: StartServer) -> None:
    """Records of calls that change nothing wait in the backlog, which takes them; a change and its record are one."""
    server = start_server(workers=1)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    (segment,) = (server.data_dir / "audit").glob("*.db")
    vandals = [dbapi2.connect(str(path)) for path in (segment, server.data_dir / "keys.db")]
    for vandal in vandals:
        vandal.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        vandal.commit()
    kms.decrypt(CiphertextBlob=blob)
    server.wait_for(lambda: "the audit log cannot be written" in server.log.read_text())
    fails(lambda: kms.disable_key(KeyId=key))
    for _ in range(3):
        kms.decrypt(CiphertextBlob=blob)
    for vandal in vandals:
        vandal.execute("DROP TRIGGER refuse")
        vandal.commit()
        vandal.close()
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    server.wait_for(lambda: names(server).count("Decrypt") == 4)


def test_a_log_whose_files_may_not_grow(start_server: StartServer) -> None:
    server = start_server(workers=1)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    (worker,) = server.worker_pids()
    unlimited = resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    for _ in range(3):
        fails(lambda: kms.encrypt(KeyId=key, Plaintext=b"x"))
        fails(lambda: kms.decrypt(CiphertextBlob=blob))
    resource.prlimit(worker, resource.RLIMIT_FSIZE, unlimited)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def test_a_disk_that_hangs(start_server: StartServer) -> None:
    server = start_server(workers=1)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    with traced(server.worker_pids()[0]) as kernel:
        kernel.hang = ""
        fails(lambda: kms.encrypt(KeyId=key, Plaintext=b"x"))
        assert kernel.hanging.is_set()
        fails(lambda: kms.decrypt(CiphertextBlob=blob))
        assert "disk does not answer" in ready(server.url)
        kernel.hang = None
        server.wait_for(lambda: ready(server.url) == "")
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def test_the_log_is_synced_before_each_answer(start_server: StartServer) -> None:
    server = start_server(workers=1)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key, Plaintext=b"x")
    with traced(server.worker_pids()[0]) as kernel:
        for _ in range(100):
            kms.encrypt(KeyId=key, Plaintext=b"x")
    synced, answers = False, 0
    for event in kernel.events:
        if event.name in SYNCS and event.result is not None and "/audit/" in event.file:
            synced |= event.result >= 0
        elif event.result is None and event.file.startswith("socket:"):
            answers += 1
            assert synced
            synced = False
    assert answers == 100


def names(server: ServerProcess) -> list[str]:
    """Of the operations that have records."""
    return [record["eventName"] for record in server.audit_records()]


def fails(call: Callable[[], object]) -> None:
    with pytest.raises(ClientError) as failed:
        call()
    answer = failed.value.response
    assert answer["Error"]["Code"] == "KMSInternalException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert set(answer) <= {"Error", "ResponseMetadata", "message"}


def ready(url: str) -> str:
    """What the server says is wrong with it."""
    return " ".join(told_of(url)["problems"])


def warnings(url: str) -> str:
    """What it says will be wrong."""
    return " ".join(told_of(url)["warnings"])


def told_of(url: str) -> dict[str, list[str]]:
    """What the server says of itself; 503 when it is not ready."""
    try:
        with urllib.request.urlopen(f"{url}/_kms/ready") as answer:
            told: dict[str, list[str]] = json.load(answer)
    except urllib.error.HTTPError as error:
        assert error.code == 503
        told = json.load(error)
    return told
