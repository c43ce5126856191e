"""PostgreSQL is slow, silent, or cut off at the worst moment: nothing is doubled or lost, and nothing needs a restart."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.databases import new_url
from tests.faults.database_proxy import Proxy, proxied
from tests.faults.test_hanging_disk import create_alias, fails_in_time, made
from tests.functional.server_process import ServerProcess
from tests.postgres_server import Postgres

DEADLINE = 2.0
# The machine is busy. Connections that stay silent are given up after six times the deadline.
RECOVERY = 6 * DEADLINE + 30


class Linked(NamedTuple):
    """A server that reaches its database by a proxy, its client, and a key that is warm."""

    server: ServerProcess
    kms: Any
    proxy: Proxy
    key: str


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Linked]:
    with proxied(postgres) as proxy:
        options = ("--database-url", proxy.url(new_url(postgres)), "--audit-deadline", str(DEADLINE))
        server = ServerProcess(tmp_path_factory.mktemp("linked"), *options, workers=1)
        kms = server.client("kms")
        recovers(kms.create_key)  # the first takes long on a busy machine
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        known = Linked(server, kms, proxy, key)
        recovers(encrypt(known))
        yield known
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()


def recovers(call: Callable[[], object]) -> float:
    """Call until it succeeds; failures meanwhile may be tried again. The seconds that it took."""
    began = time.monotonic()
    while True:
        try:
            call()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "KMSInternalException"
            assert time.monotonic() - began < RECOVERY
        else:
            return time.monotonic() - began


def encrypt(linked: Linked) -> Callable[[], object]:
    return lambda: linked.kms.encrypt(KeyId=linked.key, Plaintext=b"x")


def records(linked: Linked, name: str) -> int:
    return len(linked.server.audit_records("--event", name))


def succeeded(linked: Linked, alias: str) -> int:
    """How many records say that an alias was made."""
    return sum(
        record["requestParameters"]["aliasName"] == f"alias/{alias}" and not record.get("errorCode")
        for record in linked.server.audit_records("--event", "CreateAlias")
    )


def test_no_warm_call_is_answered_without_its_record(linked: Linked) -> None:
    with linked.proxy.held():
        fails_in_time(encrypt(linked))
        fails_in_time(create_alias(linked.kms, linked.key, "held"))
    assert recovers(encrypt(linked)) < 30
    # It may have happened after its client was told that it failed, but not twice.
    linked.server.wait_for(lambda: made(create_alias(linked.kms, linked.key, "held")))
    assert succeeded(linked, "held") == 1


def test_an_answer_to_a_commit_that_is_lost(linked: Linked) -> None:
    """The client cannot know; the change is there, once, with its record."""
    cuts = linked.proxy.cuts
    linked.proxy.lose_answer(b"alias/unknown")
    fails_in_time(create_alias(linked.kms, linked.key, "unknown"))
    assert linked.proxy.cuts == cuts + 1
    with pytest.raises(ClientError) as again:
        create_alias(linked.kms, linked.key, "unknown")()
    assert again.value.response["Error"]["Code"] == "AlreadyExistsException"
    # What was looked for after the failure was found: there is no record that says the call failed.
    told = [
        record.get("errorCode")
        for record in linked.server.audit_records("--event", "CreateAlias")
        if record["requestParameters"]["aliasName"] == "alias/unknown"
    ]
    assert told == [None, "AlreadyExistsException"]


def test_connections_that_end(linked: Linked) -> None:
    for number in range(3):
        linked.proxy.cut()
        assert recovers(create_alias(linked.kms, linked.key, f"cut{number}")) < 30
        linked.proxy.cut()
        assert recovers(encrypt(linked)) < 30
    for number in range(3):
        assert succeeded(linked, f"cut{number}") == 1


@pytest.mark.soak
def test_connections_that_stay_silent(linked: Linked) -> None:
    """They are open, and what is sent by them goes nowhere; new ones work."""
    linked.proxy.swallow()
    fails_in_time(encrypt(linked))
    recovers(encrypt(linked))
    recovers(create_alias(linked.kms, linked.key, "silent"))
    assert succeeded(linked, "silent") == 1
