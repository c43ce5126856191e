"""The stream of audit records to collectors: all of them, whatever happens, and never in anybody's way."""

import json
import re
import socket
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.databases import new_url
from tests.functional.collectors import LineCollector, SyslogCollector
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import Postgres

_MESSAGE = re.compile(
    r"<(\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S+ kms-server \d+ audit - \{.*\}", re.DOTALL
)


def work(server: ServerProcess, calls: int = 20) -> str:
    """Mutations, uses and a refusal, and a change by the command line; returns the key."""
    kms = server.client("kms")
    key: str = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(calls):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    with pytest.raises(ClientError):
        kms.encrypt(KeyId="alias/none", Plaintext=b"x")
    server.cli("quota", "set", "--key", key, "--rate", "1000")
    return key


def recorded(server: ServerProcess) -> Counter[str]:
    """Each record of the log, once."""
    return Counter(record["eventID"] for record in server.audit_records())


def test_standard_output_has_every_record_once_over_a_restart(start_server: StartServer) -> None:
    server = start_server("--audit-stream", "stdout")
    before = recorded(server)
    collectors = []
    for _ in range(2):
        collectors.append(LineCollector(server.stdout))
        work(server)
        server.client("s3").create_bucket(Bucket=f"bucket-{len(collectors)}")
        server.client("s3").put_object(Bucket=f"bucket-{len(collectors)}", Key="k", Body=b"x")
        assert server.stop() == 0
        collectors[-1].join(10)
        server.restart()
    # What one worker commits when the other has told the rest comes with the next start.
    collectors.append(LineCollector(server.stdout))
    expected = recorded(server) - before
    server.wait_for(lambda: sum(len(collector.lines) for collector in collectors) >= len(expected))
    found = [record for collector in collectors for record in collector.records()]
    assert Counter(record["eventID"] for record in found) == expected
    by_id = {record["eventID"]: record for record in server.audit_records()}
    assert all(record == by_id[record["eventID"]] for record in found)
    assert {"Management", "Data"} == {record["eventCategory"] for record in found}


@pytest.mark.embedded("whoever is killed keeps others from it for half a minute there")
def test_a_killed_server_says_nothing_less(start_server: StartServer) -> None:
    server = start_server("--audit-stream", "stdout")
    before = recorded(server)
    first = LineCollector(server.stdout)
    work(server)
    server.kill9()
    first.join(10)
    server.restart()
    second = LineCollector(server.stdout)
    work(server)
    assert server.stop() == 0
    second.join(10)
    server.restart()
    found = Counter(record["eventID"] for record in [*first.records(), *second.records()])
    assert set(found) == set(recorded(server) - before)


@pytest.mark.parametrize("kind", ["tcp", "local"])
def test_syslog(start_server: StartServer, tmp_path: Path, kind: str) -> None:
    with SyslogCollector(tmp_path / "log" if kind == "local" else None) as collector:
        server = start_server("--audit-stream", collector.target)
        key = work(server)
        kms = server.client("kms")
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        with pytest.raises(ClientError):
            kms.encrypt(KeyId=key, Plaintext=b"x")
        server.wait_for(lambda: any('"flags"' in message for message in collector.messages))
        messages = list(collector.messages)
        matches = [_MESSAGE.fullmatch(message) for message in messages]
        severities = Counter(int(match[1]) & 7 for match in matches if match)
        assert None not in matches
        assert severities[4] == 2
        assert [message for message in messages if '"flags": ["KeyPendingDeletionUsed"]' in message] == [
            message for message in messages if "is pending deletion" in message
        ]
        assert server.stop() == 0
        assert "is pending deletion, and root still asks for it" in server.log.read_text()
        server.restart()


def test_a_collector_that_starts_again_misses_nothing(start_server: StartServer) -> None:
    with SyslogCollector() as collector:
        server = start_server("--audit-stream", collector.target)
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        for count in range(1, 6):
            kms.encrypt(KeyId=key, Plaintext=b"x")
            server.wait_for(partial(_has, collector, 1 + count))
            collector.hang_up()
        assert max(collector.event_ids().values()) == 1
        assert server.stop() == 0
        server.restart()


def test_a_collector_that_does_not_read_is_in_nobody_s_way(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server = start_server("--audit-stream", f"syslog+tcp://127.0.0.1:{deaf.getsockname()[1]}")
        kms = server.client("kms")
        key = kms.create_key(Policy=_long_policy())["KeyMetadata"]["KeyId"]
        for number in range(200):
            kms.put_key_policy(KeyId=key, PolicyName="default", Policy=_long_policy(number))
        server.wait_for(lambda: "the audit stream waits" in server.log.read_text())
        assert kms.encrypt(KeyId=key, Plaintext=b"x")["KeyId"].endswith(key)
        assert server.stop() == 0
        server.restart()


@pytest.mark.soak
def test_a_full_pipe_is_in_nobody_s_way(start_server: StartServer) -> None:
    server = start_server("--audit-stream", "stdout")
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for number in range(200):
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=_long_policy(number))
    server.wait_for(lambda: "the audit stream waits" in server.log.read_text())
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["KeyId"].endswith(key)
    collector = LineCollector(server.stdout)
    server.wait_for(lambda: "Encrypt" in {record["eventName"] for record in collector.records()})
    assert max(Counter(record["eventID"] for record in collector.records()).values()) == 1
    assert server.stop() == 0
    server.restart()


def test_of_two_servers_one_tells(start_server: StartServer, postgres: Postgres) -> None:
    url = new_url(postgres)
    with SyslogCollector() as collector:
        options = ("--database-url", url, "--audit-stream", collector.target)
        one = start_server(*options)
        other = start_server(*options, "--root-key", f"file:{one.data_dir / 'root.key'}")
        before = collector.event_ids()
        kms: list[Any] = [one.client("kms"), one_more(one, other).client("kms")]
        key = kms[0].create_key()["KeyMetadata"]["KeyId"]
        for number in range(40):
            kms[number % 2].encrypt(KeyId=key, Plaintext=b"x")
        one.wait_for(lambda: len(collector.event_ids() - before) >= 41)
        # The one that tells goes; the other takes over.
        assert one.stop() == 0
        for _ in range(10):
            kms[1].encrypt(KeyId=key, Plaintext=b"x")
        other.wait_for(lambda: len(collector.event_ids() - before) >= 51, 60)
        assert max(collector.event_ids().values()) == 1
        one.restart()


def one_more(first: ServerProcess, second: ServerProcess) -> Any:
    """Access to the second server with credentials of the first: they share the database."""
    return type(first.access)(second.url, first.access.access_key_id, first.access.secret)


def test_where_to_must_be_known(start_server: StartServer) -> None:
    server = start_server()
    refused = server.cli("serve", "--audit-stream", "kafka", check=False)
    assert (refused.returncode, "syslog+tcp://HOST:PORT" in refused.stderr) == (2, True)


def _has(collector: SyslogCollector, count: int) -> bool:
    return len(collector.messages) >= count


def _long_policy(number: int = 0) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "kms:*", "Resource": "*"}
    statements = [statement | {"Sid": f"{number}-{place}-{'x' * 500}"} for place in range(20)]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
