"""`kms-server audit tail` beside a server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from tests.functional.collectors import LineCollector
from tests.functional.server_process import ServerProcess


def test_the_newest_come_last(server: ServerProcess) -> None:
    kms = server.client("kms")
    for _ in range(3):
        kms.list_keys()
    everything = server.audit_records()
    shown = server.cli("audit", "tail", "-n", "2", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in shown] == everything[-2:]
    assert len(server.cli("audit", "tail", "-n", "2").stdout.splitlines()) == 3
    named = server.cli("audit", "tail", "--event", "ListKeys", "--format", "jsonl").stdout.splitlines()
    assert {json.loads(line)["eventName"] for line in named} == {"ListKeys"}


@contextmanager
def following(server: ServerProcess, *options: str) -> Iterator[tuple[subprocess.Popen[str], LineCollector]]:
    """A `tail -f` of the root account, and what it prints."""
    command = [sys.executable, "-m", "kms_server.cli.main", "audit", "tail", "-f", *options]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ".")}
    chosen = ["--account", "000000000000", *server.where()]
    # What a shell starts in its background ignores SIGINT, and so does whatever that starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen([*command, *chosen], stdout=subprocess.PIPE, text=True, env=environment) as tail:
        signal.signal(signal.SIGINT, before)
        assert tail.stdout is not None
        try:
            yield tail, LineCollector(tail.stdout)
        finally:
            tail.kill()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_is_shown_as_it_comes(server: ServerProcess, end: signal.Signals) -> None:
    kms, s3 = server.client("kms"), server.client("s3")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    with following(server, "-n", "1", "--format", "jsonl") as (tail, shown):
        server.wait_for(lambda: len(shown.lines) == 1)
        assert shown.records()[0]["eventName"] == "CreateKey"
        kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.disable_key(KeyId=key)
        with pytest.raises(ClientError):
            kms.encrypt(KeyId=key, Plaintext=b"x")
        s3.create_bucket(Bucket=f"tail-{key}")
        s3.put_object(Bucket=f"tail-{key}", Key="k", Body=b"x")
        server.wait_for(lambda: len(shown.lines) == 6)
        names = [record["eventName"] for record in shown.records()]
        assert sorted(names[1:]) == ["CreateBucket", "DisableKey", "Encrypt", "Encrypt", "PutObject"]
        tail.send_signal(end)
        assert tail.wait(20) == (0 if end == signal.SIGINT else -signal.SIGTERM)


def test_it_shows_what_is_asked_for(server: ServerProcess) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    with following(server, "-n", "0", "--key", key, "--error", "any") as (_, shown):
        server.wait_for(lambda: len(shown.lines) == 1)
        kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        for _ in range(2):
            with pytest.raises(ClientError):
                kms.encrypt(KeyId=key, Plaintext=b"x")
        server.wait_for(lambda: len(shown.lines) == 3)
        assert [line.startswith("! ") for line in shown.lines] == [False, True, True]
