"""What the disk keeps is answered at the deadline, is told by health, and goes on without a restart."""

import fcntl
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kms_server.config import Limits
from tests.databases import new_url
from tests.faults.both_doors import both_doors
from tests.faults.test_audit_unwritable import ready
from tests.faults.traced import Traced, traced
from tests.functional.command_line import run
from tests.functional.s3_client import new_bucket, s3_client
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres

DEADLINE = 2.0
# The machine is busy; a call that hangs does so for half a minute and more.
GENEROUS = DEADLINE + 10
OPTIONS = ("--audit-deadline", str(DEADLINE))
MANY = 20
BODY = bytes(100_000)
FILES = pytest.mark.embedded("the files of the database and the log")


@contextmanager
def hanging(server: ServerProcess, file: str) -> Iterator[Traced]:
    """No sync of a file returns until the block ends."""
    (worker,) = server.worker_pids()
    with traced(worker) as kernel:
        kernel.hang = file
        yield kernel
        kernel.hang = None
        server.wait_for(lambda: ready(server.url) == "")


def fails_in_time(call: Callable[[], object], code: str = "KMSInternalException") -> None:
    began = time.monotonic()
    with pytest.raises(ClientError) as failed:
        call()
    assert time.monotonic() - began < GENEROUS
    assert failed.value.response["Error"]["Code"] == code
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def all_fail_in_time(calls: list[Callable[[], object]]) -> None:
    """At once, and of more clients than there are threads."""
    with ThreadPoolExecutor(len(calls)) as clients:
        for done in [clients.submit(fails_in_time, call) for call in calls]:
            done.result()


def aliases(kms: Any) -> set[str]:
    pages = kms.get_paginator("list_aliases").paginate()
    return {alias["AliasName"] for page in pages for alias in page["Aliases"] if "TargetKeyId" in alias}


def create_alias(kms: Any, key: str, name: str) -> Callable[[], object]:
    return lambda: kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)


def recorded_aliases(server: ServerProcess, *, failed: bool) -> set[str]:
    return {
        record["requestParameters"]["aliasName"]
        for record in server.audit_records("--event", "CreateAlias")
        if ("errorCode" in record and record["errorCode"] is not None) == failed
    }


@FILES
def test_a_log_that_hangs(start_server: StartServer) -> None:
    server = start_server(*OPTIONS, workers=1)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key, Plaintext=b"x")
    clients = [server.client("kms") for _ in range(MANY)]
    with hanging(server, "/audit/"):
        all_fail_in_time([partial(kms.encrypt, KeyId=key, Plaintext=b"x") for kms in clients])
        fails_in_time(lambda: kms.encrypt(KeyId=key, Plaintext=b"x"))
        fails_in_time(lambda: kms.describe_key(KeyId=key))
        fails_in_time(lambda: kms.encrypt(KeyId="alias/none", Plaintext=b"x"))
        server.wait_for(lambda: "management events is stuck: its disk does not answer" in ready(server.url))
        # What changes a key has its record where the change is.
        kms.disable_key(KeyId=key)
        kms.enable_key(KeyId=key)
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert len(server.audit_records("--event", "EnableKey")) == 1


@FILES
def test_changes_that_hang(start_server: StartServer) -> None:
    server = start_server(*OPTIONS, workers=1)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    clients = [server.client("kms") for _ in range(MANY)]
    with hanging(server, "/keys.db"):
        all_fail_in_time([create_alias(kms, key, f"a{number}") for number, kms in enumerate(clients)])
        all_fail_in_time([create_alias(kms, key, f"b{number}") for number, kms in enumerate(clients)])
        server.wait_for(lambda: "changes are not written" in ready(server.url))
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    create_alias(kms, key, "after")()
    # A call that failed may have its effect, even now, but log and effect are one.
    server.wait_for(lambda: aliases(kms) == recorded_aliases(server, failed=False))
    there = aliases(kms)
    assert there <= {"alias/after"} | {f"alias/a{number}" for number in range(MANY)}
    # Only the one whose own commit hung, unless the server's own work had the turn then.
    assert len(there) <= 2


def made(create: Callable[[], object]) -> bool:
    """Whether something is there now; a call that was refused at once has made nothing."""
    try:
        create()
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "AlreadyExistsException")
    return True


@FILES
def test_changes_behind_another_that_hangs(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_AUDIT_DEADLINE": str(DEADLINE)})
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    clients = [server.client("kms") for _ in range(MANY)]
    with (server.data_dir / "state" / "writer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        all_fail_in_time([create_alias(kms, key, f"a{number}") for number, kms in enumerate(clients)])
        server.wait_for(lambda: "changes are not written" in ready(server.url))
    # One worker may be ready before the other.
    server.wait_for(lambda: ready(server.url) == "" and made(create_alias(kms, key, "after")))
    # Whoever waited for the turn has been told that it failed, and the turn is not taken.
    assert aliases(kms) == {"alias/after"} == recorded_aliases(server, failed=False)
    failed = recorded_aliases(server, failed=True)
    assert failed <= {f"alias/a{number}" for number in range(MANY)}
    assert failed


@pytest.mark.parametrize("door", ["fast", "wsgi"])
def test_changes_by_either_door(tmp_path: Path, door: str) -> None:
    with both_doors(tmp_path / "data", Limits(audit_deadline=DEADLINE)) as doors:
        access = getattr(doors, door)
        kms, s3 = access.client("kms"), s3_client(access)
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        bucket = new_bucket(s3)
        with (tmp_path / "data" / "state" / "writer.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fails_in_time(create_alias(kms, key, "late"))
            fails_in_time(create_alias(kms, key, "at-once"))
            fails_in_time(lambda: s3.put_object(Bucket=bucket, Key="a", Body=BODY), "InternalError")
            fails_in_time(lambda: s3.create_bucket(Bucket=f"{bucket}-2"), "InternalError")
        deadline = time.monotonic() + 30
        while not aliases(kms):
            with suppress(ClientError):
                create_alias(kms, key, "after")()
            assert time.monotonic() < deadline
        assert aliases(kms) == {"alias/after"}
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
        assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == [bucket]


@FILES
def test_data_events_that_hang(start_server: StartServer) -> None:
    server = start_server(*OPTIONS, workers=1)
    s3, kms = s3_client(server.access), server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="there", Body=BODY)
    s3.get_object(Bucket=bucket, Key="there")
    with hanging(server, "/audit/data/"):
        for _ in range(2):
            fails_in_time(lambda: s3.get_object(Bucket=bucket, Key="there"), "InternalError")
        server.wait_for(lambda: "data events is stuck" in ready(server.url))
        assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        s3.put_object(Bucket=bucket, Key="there too", Body=BODY)
    assert s3.get_object(Bucket=bucket, Key="there too")["Body"].read() == BODY


@pytest.mark.parametrize("file", [pytest.param("/keys.db", marks=FILES), "/objects/"])
def test_objects_that_hang(start_server: StartServer, file: str) -> None:
    server = start_server(*OPTIONS, workers=1)
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="there", Body=BODY)
    with hanging(server, file) as kernel:
        for name in ("a", "b"):
            fails_in_time(partial(s3.put_object, Bucket=bucket, Key=name, Body=BODY), "InternalError")
        assert kernel.hanging.is_set()
        assert s3.get_object(Bucket=bucket, Key="there")["Body"].read() == BODY
    s3.put_object(Bucket=bucket, Key="c", Body=BODY)
    listed = {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert {"c", "there"} <= listed
    for name in listed:
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == BODY
    written = [
        record["requestParameters"]["key"]
        for record in server.audit_records("--category", "data", "--event", "PutObject")
        if record.get("errorCode") is None
    ]
    assert sorted(written) == sorted(listed)


def test_a_deadline_has_bounds() -> None:
    for value in ("0", "31", "soon"):
        assert run("serve", "--audit-deadline", value).returncode == 2


@pytest.mark.soak
def test_a_database_that_hangs(start_server: StartServer, postgres: Postgres) -> None:
    server = start_server("--database-url", new_url(postgres), *OPTIONS)
    kms, s3 = server.client("kms"), s3_client(server.access)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="there", Body=BODY)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    clients = [server.client("kms") for _ in range(MANY)]
    with postgres.hanging():
        all_fail_in_time([partial(kms.encrypt, KeyId=key, Plaintext=b"x") for kms in clients])
        all_fail_in_time([create_alias(kms, key, f"a{number}") for number, kms in enumerate(clients)])
        all_fail_in_time([create_alias(kms, key, f"b{number}") for number, kms in enumerate(clients)])
        fails_in_time(lambda: s3.get_object(Bucket=bucket, Key="there"), "InternalError")
        fails_in_time(lambda: s3.put_object(Bucket=bucket, Key="new", Body=BODY), "InternalError")
        # Whoever watches the server learns it each time, and that the process is alive.
        for _ in range(3):
            assert "the database does not answer" in ready(server.url)
        with urllib.request.urlopen(f"{server.url}/_kms/health", timeout=GENEROUS) as alive:
            assert alive.status == 200
    # One worker may be ready before the other.
    server.wait_for(lambda: ready(server.url) == "" and made(create_alias(kms, key, "after")))
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert s3.get_object(Bucket=bucket, Key="there")["Body"].read() == BODY
    server.wait_for(lambda: aliases(kms) == recorded_aliases(server, failed=False))


@FILES
def test_an_idle_worker_tells_of_a_disk_that_hangs(start_server: StartServer) -> None:
    server = start_server(*OPTIONS, workers=1)
    assert ready(server.url) == ""
    with hanging(server, "/state/probe"):
        server.wait_for(lambda: "the database does not answer" in ready(server.url))
