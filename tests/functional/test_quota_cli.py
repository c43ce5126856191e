"""Limits by the command line, and their counts over all workers: who may read them, how commands show them."""

import json
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from prometheus_client.parser import text_string_to_metric_families

from tests.functional import processes
from tests.functional.command_line import clean_environment, refused
from tests.functional.server_process import ServerProcess

STRANGER = {"X-Forwarded-For": "203.0.113.7"}
SCRAPER = {"X-Forwarded-For": "203.0.113.8"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    options = ["--quota-profile", "aws", "--trusted-proxies", "127.0.0.0/8"]
    process = ServerProcess(
        tmp_path_factory.mktemp("usage"), *options, "--metrics-from", "127.0.0.0/8,203.0.113.8/32",
        env={"COLUMNS": "200"},
    )  # fmt: skip
    yield process
    assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


def page(server: ServerProcess, headers: dict[str, str] | None = None) -> str:
    request = urllib.request.Request(f"{server.url}/_kms/metrics", headers=headers or {})
    with urllib.request.urlopen(request) as answer:
        text: str = answer.read().decode()
    return text


def of_key(server: ServerProcess, key_id: str) -> dict[str, float]:
    """The numbers of a key's limit, by metric."""
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(page(server))
        for sample in family.samples
        if sample.labels == {"kind": "key", "name": key_id}
    }


@contextmanager
def alone(server: ServerProcess, pid: int) -> Iterator[None]:
    """One worker answers everything."""
    others = [other for other in server.all_worker_pids() if other != pid]
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def encrypt(server: ServerProcess, key_id: str, calls: int) -> int:
    """How many of so many calls pass, over a connection of their own."""
    kms, passed = server.client("kms"), 0
    for _ in range(calls):
        try:
            kms.encrypt(KeyId=key_id, Plaintext=b"x")
            passed += 1
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottlingException"
    kms.close()
    return passed


def limited_key(server: ServerProcess, rate: str, burst: str) -> str:
    key_id: str = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    server.cli("quota", "set", "--key", key_id, "--rate", rate, "--burst", burst)
    return key_id


def test_both_workers_count_and_either_tells_of_both(server: ServerProcess) -> None:
    key_id = limited_key(server, "0.0001", "5")
    passed = 0
    for pid in server.all_worker_pids():
        with alone(server, pid):
            passed += encrypt(server, key_id, 4)
    assert passed == 5
    for pid in server.worker_pids():
        with alone(server, pid):
            numbers = of_key(server, key_id)
            assert numbers.pop("kms_server_quota_used_ratio") > 0.99
            assert numbers == {
                "kms_server_quota_calls_total": 5, "kms_server_quota_throttled_total": 3,
                "kms_server_quota_limit": 0.0001,
            }  # fmt: skip


def test_counts_outlive_a_worker(server: ServerProcess) -> None:
    key_id = limited_key(server, "0.0001", "2")
    assert encrypt(server, key_id, 3) == 2
    before = server.all_worker_pids()
    server.kill_a_worker()
    server.wait_for(lambda: len(server.worker_pids()) == 2 and server.worker_pids() != before)
    for pid in server.worker_pids():
        with alone(server, pid):
            assert encrypt(server, key_id, 2) == 0
    numbers = of_key(server, key_id)
    assert (numbers["kms_server_quota_calls_total"], numbers["kms_server_quota_throttled_total"]) == (2, 5)


def test_only_the_named_networks_may_read(server: ServerProcess) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        page(server, STRANGER)
    with raised.value as answer:
        assert answer.code == 403
        assert json.loads(answer.read()) == {"status": "forbidden"}
    assert "kms_server_problems 0.0" in page(server, SCRAPER)
    assert "kms_server_problems 0.0" in page(server)


@contextmanager
def pressed(server: ServerProcess, key_id: str) -> Iterator[None]:
    """Somebody encrypts all the time, as fast as possible."""
    over = threading.Event()

    def press() -> None:
        kms = server.client("kms")
        while not over.is_set():
            with suppress(ClientError):
                kms.encrypt(KeyId=key_id, Plaintext=b"x")

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_quota_usage_shows_the_fullest_limit_first(server: ServerProcess) -> None:
    key_id, idle = limited_key(server, "10", "1"), limited_key(server, "7", "1")
    with pressed(server, key_id):
        head, full, *others = server.cli("quota", "usage").stdout.splitlines()
        first, *rest = json.loads(server.cli("quota", "usage", "--all", "--format", "json").stdout)
    assert head.split() == ["limit", "calls/s", "allowed", "used", "throttled/s", "in", "all"]
    *label, rate, allowed, bar, throttled, in_all = full.split()
    assert (label, allowed) == (["key", key_id], "10")
    assert set(bar) <= set("\u2588\u2589\u258a\u258b\u258c\u258d\u258e\u258f")
    assert float(rate) > 0
    assert float(in_all) >= float(throttled) > 0
    assert not any(idle in line for line in others)
    assert (first["kind"], first["name"], first["allowed"]) == ("key", key_id, 10)
    assert 0 < first["used"] <= 1
    assert first["throttled"] > first["throttledPerSecond"] > 0
    assert {"kind": "key", "name": idle, "used": 0.0}.items() <= next(
        one for one in rest if one.get("name") == idle
    ).items()
    created = next(one for one in rest if one.get("quota") == "CreateKey")
    assert created["allowed"] == 5, "the profile of the server"


def test_quota_usage_of_one_region_or_account(server: ServerProcess) -> None:
    server.client("kms", region_name="eu-west-1").list_keys()
    there = server.cli("quota", "usage", "--region", "eu-west-1", "--account", "000000000000").stdout
    assert len(there.splitlines()) == 2
    assert "000000000000 eu-west-1 ListKeys" in there
    assert server.cli("quota", "usage", "--account", "111122223333").stdout == "no limit has been used\n"


def test_quota_usage_can_be_watched(server: ServerProcess, tmp_path: Path) -> None:
    server.client("kms").list_keys()
    command = ["quota", "usage", "--watch", "--format", "json", *server.where()]
    watch, shown = processes.start(command, clean_environment(), tmp_path / "log", own_interpreter=False)
    with shown:
        for _ in range(2):
            assert any(one.get("quota") == "ListKeys" for one in json.loads(shown.readline()))
        assert watch.pid is not None
        os.kill(watch.pid, signal.SIGINT)
        watch.join(20)
    assert (watch.exitcode, (tmp_path / "log").read_text()) == (0, "")


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        (("--quota", "CreateKey"), "quota:000000000000:eu-west-1:CreateKey"),
        (("--alias", "alias/app-*"), "alias:000000000000:eu-west-1:alias/app-*"),
        (("--tag", "a:b==c%?"), "tag:000000000000:eu-west-1:a%3Ab=%3Dc%25?"),
        (("--principal", "arn:aws:iam::*:user/mira"), "principal:arn:aws:iam::*:user/mira"),
    ],
)
def test_a_limit_is_set_listed_and_dropped(server: ServerProcess, named: tuple[str, str], shown: str) -> None:
    where = ("--region", "eu-west-1", *named)
    server.cli("quota", "set", *where, "--rate", "3.5", "--burst", "9")
    assert f"{shown}  3.5/s  burst 9" in server.cli("quota", "list").stdout.splitlines()
    server.cli("quota", "unset", *where)
    assert shown not in server.cli("quota", "list").stdout
    refused(server.cli("quota", "unset", *where, check=False), "no limit is set")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ((), "give one of"),
        (("--quota", "CreateKey", "--key", "a"), "give one of"),
        (("--quota", "CreateKeys"), "there is no quota CreateKeys"),
        (("--key", "a"), "there is no key a"),
        (("--alias", "app-*"), "begin with alias/"),
        (("--tag", "team"), "write KEY=VALUE"),
        (("--tag", "=x"), "write KEY=VALUE"),
        (("--tag", "\udcff=x"), "UTF-8"),
        (("--principal", "\udcff"), "UTF-8"),
        (("--principal", "x" * 1_100), "at most 1024 characters"),
    ],
)
def test_what_no_limit_can_be_set_on(server: ServerProcess, named: tuple[str, ...], said: str) -> None:
    before = server.cli("quota", "list").stdout
    refused(server.cli("quota", "set", "--rate", "1", *named, check=False), said)
    assert server.cli("quota", "list").stdout == before


def test_quota_list_shows_the_servers_profile(server: ServerProcess) -> None:
    assert "profile aws in us-east-1" in server.cli("quota", "list").stdout
    assert "profile relaxed in us-east-1" in server.cli("quota", "list", "--profile", "relaxed").stdout
