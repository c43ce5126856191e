"""Faults on demand: what a client of a server with two workers sees of them, the same each time."""

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.s3_client import new_bucket, s3_client
from tests.functional.server_process import ServerProcess

# One server for all tests of the module.
THROTTLED = "ThrottlingException"
SCHEDULE = "110100101"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server"), env={"KMS_SERVER_FAULT_INJECTION": "1"})
    yield process
    assert process.stop() == 0
    log = process.log.read_text()
    assert "faults may be injected into calls" in log
    assert "Traceback" not in log
    assert "internal failure" not in log


@pytest.fixture(scope="module")
def kms(server: ServerProcess) -> Any:
    return server.client("kms", data_path=True)


@pytest.fixture(scope="module")
def key(kms: Any) -> str:
    key_id: str = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/faulty", TargetKeyId=key_id)
    return key_id


@pytest.fixture(scope="module")
def clients(server: ServerProcess) -> list[Any]:
    """Each has a connection of its own, so that both workers have some."""
    return [server.client("kms") for _ in range(6)]


@pytest.fixture(autouse=True)
def nothing_left(kms: Any) -> Iterator[None]:
    yield
    assert kms.list_injected_faults()["Faults"] == []


def met(kms: Any, key: str) -> str:
    """The digit of a schedule that an Encrypt shows."""
    try:
        kms.encrypt(KeyId=key, Plaintext=b"p")
    except ClientError as error:
        assert error.response["Error"]["Code"] == THROTTLED
        return "1"
    return "0"


def test_a_schedule_gives_the_same_results_each_time(kms: Any, clients: list[Any], key: str) -> None:
    for turn in range(10):
        kms.inject_fault(Error=THROTTLED, Schedule=SCHEDULE, KeyId=key)
        found = [met(clients[(turn + number) % len(clients)], key) for number in range(len(SCHEDULE) + 2)]
        assert "".join(found) == SCHEDULE + "00"


def test_clients_at_once_meet_it_exactly_as_often_as_it_says(kms: Any, clients: list[Any], key: str) -> None:
    kms.inject_fault(Error=THROTTLED, Schedule="10", Calls=31, KeyId=key)
    with ThreadPoolExecutor(len(clients)) as pool:
        found = list(pool.map(lambda number: met(clients[number % len(clients)], key), range(60)))
    assert found.count("1") == 16


def test_standard_retries_succeed_at_the_third_attempt(server: ServerProcess, key: str) -> None:
    server.cli("quota", "inject", "--error", "throttled", "--calls", "2", "--operation", "GenerateMac")
    mac = server.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"][
        "KeyId"
    ]
    patient = server.client("kms", max_attempts=3)
    answer = patient.generate_mac(KeyId=mac, MacAlgorithm="HMAC_SHA_256", Message=b"m")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    records = server.audit_records("--event", "GenerateMac")
    assert [one.get("errorCode") for one in records] == [THROTTLED, THROTTLED, None]
    assert {one["resources"][0]["ARN"].rpartition("/")[2] for one in records} == {mac}


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        ("throttled", THROTTLED, 400),
        ("internal", "KMSInternalException", 500),
        ("timeout", "DependencyTimeoutException", 503),
    ],
)
def test_errors_have_their_codes_and_statuses(
    server: ServerProcess, kms: Any, key: str, error: str, code: str, status: int
) -> None:
    server.cli("quota", "inject", "--error", error, "--key", key)
    with pytest.raises(ClientError) as refused:
        kms.describe_key(KeyId="alias/faulty")
    response = refused.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    kms.describe_key(KeyId="alias/faulty")


def test_a_slow_call_succeeds_later(server: ServerProcess, kms: Any, clients: list[Any], key: str) -> None:
    server.cli("quota", "inject", "--delay", "300ms", "--operation", "Encrypt", "--key", key)
    begin = time.monotonic()
    assert met(clients[0], key) == "0"
    assert time.monotonic() - begin >= 0.3


def test_only_the_principal_that_is_meant_is_met(server: ServerProcess, kms: Any, key: str) -> None:
    policy = {"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}
    fault = kms.inject_fault(Error=THROTTLED, Principal="*:user/unlucky", Forever=True)["FaultId"]
    unlucky = server.user_client("kms", "unlucky", policy)
    assert [met(client, key) for client in (kms, unlucky, kms, unlucky)] == ["0", "1", "0", "1"]
    assert [one["CallsSeen"] for one in kms.list_injected_faults()["Faults"]] == [2]
    kms.remove_injected_fault(FaultId=fault)
    assert met(unlucky, key) == "0"


def test_calls_that_s3_makes_are_met_too(server: ServerProcess, kms: Any, key: str) -> None:
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    kms.inject_fault(Error=THROTTLED, Operation="GenerateDataKey", KeyId=key)
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="a", Body=b"x", **sealed)
    assert refused.value.response["Error"]["Code"] == "SlowDown"
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", **sealed)


def warnings(server: ServerProcess) -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=20)
    connection.request("GET", "/_kms/ready")
    told: list[str] = json.loads(connection.getresponse().read())["warnings"]
    connection.close()
    return told


def test_a_server_says_that_faults_are_set(server: ServerProcess) -> None:
    server.cli("quota", "inject", "--error", "internal", "--forever", "--principal", "nobody")
    server.wait_for(lambda: "1 injected fault is set: `kms-server quota injected`" in warnings(server))
    server.cli("quota", "clear-injected")
    server.wait_for(lambda: not any("injected" in one for one in warnings(server)))
