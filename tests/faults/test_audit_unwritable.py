"""Without its record no call is answered; and an fsync comes before each answer."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from pysqlite3 import dbapi2

from tests.functional.server_process import StartServer


def test_a_log_that_refuses(start_server: StartServer) -> None:
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
    calls: tuple[Callable[[], object], ...] = (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: kms.decrypt(CiphertextBlob=blob),
        lambda: kms.disable_key(KeyId=key),
        lambda: kms.encrypt(KeyId="alias/none", Plaintext=b"x"),
    )
    for call in calls:
        with pytest.raises(ClientError) as failed:
            call()
        assert failed.value.response["Error"]["Code"] == "KMSInternalException"
        assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert "Plaintext" not in failed.value.response
    for vandal in vandals:
        vandal.execute("DROP TRIGGER refuse")
        vandal.commit()
        vandal.close()
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_log_is_synced_before_each_answer(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(workers=1)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key, Plaintext=b"x")
    trace = tmp_path / "trace"
    (worker,) = server.worker_pids()
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,write,writev,sendto,sendmsg", "-o", str(trace), "-p", str(worker)],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert tracer.stderr is not None
    assert b"attached" in tracer.stderr.readline()
    for _ in range(100):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    tracer.terminate()
    tracer.wait()
    tracer.stderr.close()
    synced, answers = 0, 0
    for line in trace.read_text().splitlines():
        if re.search(r"f(data)?sync\(.*audit/.*= 0|f(data)?sync resumed.*= 0", line):
            synced += 1
        elif "HTTP/1.1 200" in line:
            answers += 1
            assert synced >= answers
    assert answers == 100
