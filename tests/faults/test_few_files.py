"""A worker that may open no more files turns new clients away, answers those it has, and goes on by itself."""

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from tests.functional.server_process import ServerProcess, StartServer

CROWD = 60
SPARE = 30


@contextmanager
def few_files(server: ServerProcess) -> Iterator[int]:
    """The only worker may have a few files more than it has now; more clients than that come, and stay."""
    (worker,) = server.worker_pids()
    limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    most = len(list(Path(f"/proc/{worker}/fd").iterdir())) + SPARE
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (most, limits[1]))
    place = urlsplit(server.url)
    with ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(socket.create_connection((place.hostname, place.port), timeout=30))
        yield worker
    # The limit stays: what the clients leave is enough.


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_no_file_is_left(start_server: StartServer) -> None:
    server = start_server(workers=1)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key, Plaintext=b"x")
    with few_files(server) as worker:
        before, began = processor_seconds(worker), time.monotonic()
        # Its connection was there before, and a warm call opens nothing.
        for number in range(20):
            kms.encrypt(KeyId=key, Plaintext=str(number).encode())
        time.sleep(1.0)
        assert processor_seconds(worker) - before < (time.monotonic() - began) / 2
        codes = set()
        for number in range(3):
            try:
                kms.create_alias(AliasName=f"alias/{number}", TargetKeyId=key)
            except ClientError as error:
                codes.add(error.response["Error"]["Code"])
        assert codes <= {"KMSInternalException"}

    def recovered() -> bool:
        try:
            server.client("kms").create_key()
        except Exception:  # noqa: BLE001 - refused, cut off, or told to try again
            return False
        return True

    server.wait_for(recovered)
    assert server.worker_pids() == [worker]
    made = {one["AliasName"] for one in kms.list_aliases(KeyId=key)["Aliases"]}
    recorded = {
        record["requestParameters"]["aliasName"]
        for record in server.audit_records("--event", "CreateAlias")
        if not record.get("errorCode")
    }
    assert made == recorded
    assert "Traceback" not in server.log.read_text()
