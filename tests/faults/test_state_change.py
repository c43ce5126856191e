"""No call sent after the answer to DisableKey was received acts on the old state."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event, Semaphore

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.databases import new_url
from tests.functional.limit_load import roots
from tests.functional.processes import CONTEXT
from tests.functional.server_process import Access, ServerProcess, StartServer
from tests.postgres_server import Postgres

ROUNDS = 50 if os.environ.get("KMS_TEST_SOAK") else 20
CLI_ROUNDS = int(os.environ.get("KMS_TEST_CLI_ROUNDS", "2"))  # each takes a second
CLIENTS = 4


def wait_for_calls(answered: Semaphore, calls: int = 2 * CLIENTS) -> None:
    """Wait until the clients have had that many more answers, however slow the machine is."""
    while answered.acquire(block=False):
        pass
    for _ in range(calls):
        assert answered.acquire(timeout=60), "the clients do not go on"


def hammer(
    access: Access,
    key: str,
    refused_by: str,
    stop: Event,
    answered: Semaphore,
    sent: "Queue[list[tuple[float, float, bool]]]",
) -> None:
    """Encrypt without pause; report when each call was sent and answered, and whether it succeeded."""
    kms = access.client("kms")
    calls = []
    while not stop.is_set():
        start = time.monotonic()
        try:
            kms.encrypt(KeyId=key, Plaintext=b"x")
            calls.append((start, time.monotonic(), True))
        except ClientError as error:
            assert error.response["Error"]["Code"] == refused_by
            calls.append((start, time.monotonic(), False))
        answered.release()
    sent.put(calls)


def rounds(
    key: str, access: Access, refused_by: str, disable: Callable[[], object], enable: Callable[[], object]
) -> None:
    """Take away the use of a key from the clients of `access` and give it back, many times."""
    stop, answered, sent = CONTEXT.Event(), CONTEXT.Semaphore(0), CONTEXT.Queue()
    asked = (access, key, refused_by, stop, answered, sent)
    clients = [CONTEXT.Process(target=hammer, args=asked) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    disabled = []
    for _ in range(ROUNDS):
        wait_for_calls(answered)
        disable()
        begin = time.monotonic()
        wait_for_calls(answered)
        disabled.append((begin, time.monotonic()))
        enable()
    stop.set()
    calls = [call for _ in clients for call in sent.get(timeout=60)]
    for client in clients:
        client.join()
    # A call answered after the key was enabled again may rightly have succeeded.
    during = [ok for start, finish, ok in calls for begin, end in disabled if begin < start and finish < end]
    assert len(during) > ROUNDS, "the clients were too slow to show anything"
    assert not any(during)
    assert any(ok for _, _, ok in calls)


@pytest.mark.timeout(240)
def test_by_the_api(start_server: StartServer) -> None:
    server = start_server("--quota-profile", "unlimited", workers=2)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    disable, enable = (lambda: kms.disable_key(KeyId=key)), (lambda: kms.enable_key(KeyId=key))
    rounds(key, server.access, "DisabledException", disable, enable)


@pytest.mark.timeout(240)
def test_on_another_host(start_server: StartServer, postgres: Postgres) -> None:
    """Nothing tells that host of the change but the database."""
    shared = ["--quota-profile", "unlimited", "--database-url", new_url(postgres)]
    one = start_server(*shared)
    other = start_server(*shared, "--root-key", f"file:{one.data_dir / 'root.key'}")
    kms = one.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    disable, enable = (lambda: kms.disable_key(KeyId=key)), (lambda: kms.enable_key(KeyId=key))
    rounds(key, roots([one, other])[1], "DisabledException", disable, enable)
    access_keys_of_a_user(one, other, key)


def access_keys_of_a_user(one: ServerProcess, other: ServerProcess, key: str) -> None:
    """A refusal that leaves no record holds no longer than the state that it was decided on."""
    policy = {"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}
    access = one.user_access("user", policy)
    iam, calls = one.client("iam"), replace(access, url=other.url).client("kms")
    for _ in range(4):
        iam.update_access_key(UserName="user", AccessKeyId=access.access_key_id, Status="Inactive")
        for _ in range(2):
            with pytest.raises(ClientError, match="UnrecognizedClientException"):
                calls.encrypt(KeyId=key, Plaintext=b"x")
        iam.update_access_key(UserName="user", AccessKeyId=access.access_key_id, Status="Active")
        calls.encrypt(KeyId=key, Plaintext=b"x")


@pytest.mark.timeout(240)
def test_by_grants(start_server: StartServer) -> None:
    server = start_server("--quota-profile", "unlimited", workers=2)
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    policy = {"Statement": {"Effect": "Allow", "Action": "none:*", "Resource": "*"}}
    access = server.user_access("grantee", policy)
    asked = {"GranteePrincipal": "arn:aws:iam::000000000000:user/grantee", "Operations": ["Encrypt"]}
    ends = [kms.retire_grant, kms.revoke_grant]
    made: list[str] = []

    def give() -> None:
        made.append(kms.create_grant(KeyId=key, **asked)["GrantId"])

    def take() -> None:
        ends[len(made) % 2](KeyId=key, GrantId=made[-1])

    give()
    rounds(key, access, "AccessDeniedException", take, give)


def hammer_in_turn(
    keys: list[Access],
    turn: "Synchronized[int]",
    answered: Semaphore,
    sent: "Queue[list[tuple[int, float, bool]]]",
) -> None:
    """List keys without pause, each turn with an access key of its own; report when each call was sent."""
    kms = keys[0].client("kms")
    calls = []
    while (number := turn.value) < len(keys):
        kms._request_signer._credentials = Credentials(keys[number].access_key_id, keys[number].secret)
        start = time.monotonic()
        try:
            kms.list_keys(Limit=1)
            calls.append((number, start, True))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "UnrecognizedClientException"
            calls.append((number, start, False))
        answered.release()
    sent.put(calls)


@pytest.mark.timeout(200 + 20 * CLI_ROUNDS)
def test_by_the_command_line(start_server: StartServer) -> None:
    """The command line changes identities and limits: here it takes access keys away."""
    server = start_server("--quota-profile", "unlimited", workers=2)
    keys = [server.new_access_key() for _ in range(CLI_ROUNDS)]
    turn, answered, sent = CONTEXT.Value("i", 0), CONTEXT.Semaphore(0), CONTEXT.Queue()
    asked = (keys, turn, answered, sent)
    clients = [CONTEXT.Process(target=hammer_in_turn, args=asked) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    deleted = []
    for number, key in enumerate(keys):
        wait_for_calls(answered)
        server.cli("identity", "delete-key", key.access_key_id)
        deleted.append(time.monotonic())
        wait_for_calls(answered)
        turn.value = number + 1
    calls = [call for _ in clients for call in sent.get(timeout=60)]
    for client in clients:
        client.join()
    after = [ok for number, start, ok in calls if start > deleted[number]]
    assert len(after) > CLI_ROUNDS, "the clients were too slow to show anything"
    assert not any(after)
    assert any(ok for _, _, ok in calls)
