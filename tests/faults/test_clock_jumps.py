"""The clock of the host jumps, backward and forward, under a server that runs.

Signatures are judged by the time of day; whatever waits, or counts tokens, goes by a clock that nobody sets.
"""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.faults.false_clock import FalseClock, false_clock
from tests.functional.server_process import ServerProcess

DAY = 86_400.0


class Host(NamedTuple):
    """A server, its clock, and a client whose clock is the server's where it is told so."""

    server: ServerProcess
    clock: FalseClock
    kms: Any

    def code(self, operation: str, **members: Any) -> str:
        """The error of a call, or nothing."""
        try:
            getattr(self.kms, operation)(**members)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    directory = tmp_path_factory.mktemp("clock")
    clock = false_clock(directory)
    server = ServerProcess(directory, "--dev", workers=1, env=clock.environment, own_interpreter=True)
    yield Host(server, clock, server.client("kms"))
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def key(host: Host) -> Iterator[str]:
    host.clock.jump(0.0)
    made: str = host.kms.create_key()["KeyMetadata"]["KeyId"]
    yield made
    host.clock.jump(0.0)


@pytest.mark.parametrize("seconds", [-400 * DAY, -3.0, 400 * DAY])
def test_calls_go_on_and_each_has_its_record(host: Host, key: str, seconds: float) -> None:
    before = {record["eventID"] for record in host.server.audit_records()}
    host.kms.encrypt(KeyId=key, Plaintext=b"x")
    host.clock.jump(seconds)
    began = time.monotonic()
    for number in range(20):
        host.kms.encrypt(KeyId=key, Plaintext=b"x")
        host.kms.create_alias(AliasName=f"alias/{key[:8]}-{number}", TargetKeyId=key)
    # Nothing waits for a moment that the jump has moved away.
    assert time.monotonic() - began < 30
    records = host.server.audit_records()
    ids = [record["eventID"] for record in records]
    assert len(set(ids)) == len(ids)
    assert len(set(ids) - before) >= 41
    host.server.cli("audit", "verify")


def test_limits_neither_open_nor_lock(host: Host, key: str) -> None:
    host.server.cli("quota", "set", "--key", key, "--rate", "0.01", "--burst", "3")
    assert [host.code("encrypt", KeyId=key, Plaintext=b"x") for _ in range(3)] == [""] * 3
    for seconds in (400 * DAY, -400 * DAY):
        host.clock.jump(seconds)
        assert host.code("encrypt", KeyId=key, Plaintext=b"x") == "ThrottlingException"
    host.server.cli("quota", "set", "--key", key, "--rate", "1000", "--burst", "100")
    assert host.code("encrypt", KeyId=key, Plaintext=b"x") == ""


def test_what_is_due_happens_once(host: Host, key: str) -> None:
    host.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    for seconds in (91 * DAY, 0.0, 91 * DAY, -10 * DAY, 91 * DAY):
        host.clock.jump(seconds)
        host.server.wait_for(lambda: len(host.kms.list_key_rotations(KeyId=key)["Rotations"]) == 1)
        time.sleep(0.5)
    assert len(host.kms.list_key_rotations(KeyId=key)["Rotations"]) == 1
