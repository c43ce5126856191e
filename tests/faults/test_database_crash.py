"""PostgreSQL is killed under load and started again: nothing acknowledged is lost, and the server goes on by itself."""

import logging
import os
import tempfile
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.databases import new_url
from tests.faults.test_crash import Acknowledged, check, pressed
from tests.functional.server_process import ServerProcess, StartServer
from tests.postgres_server import start

_LOG = logging.getLogger(__name__)
ROUNDS = int(os.environ.get("KMS_TEST_CRASH_ROUNDS", "1"))
DEADLINE = 5.0  # that of the server, unless it is told another
GENEROUS = 20.0  # the machine is busy


def recovery(server: ServerProcess) -> float:
    """The seconds until a call succeeds."""
    began = time.monotonic()
    kms = server.client("kms")
    while time.monotonic() - began < GENEROUS:
        try:
            kms.create_key()
        except ClientError:
            continue
        return time.monotonic() - began
    raise AssertionError("it does not recover")


@pytest.mark.timeout(120 + 30 * ROUNDS)
def test_nothing_acknowledged_is_lost(start_server: StartServer) -> None:
    postgres = start(Path(tempfile.mkdtemp(prefix="kms-pg-")))
    try:
        server = start_server("--database-url", new_url(postgres))
        workers, told, slowest = server.all_worker_pids(), Acknowledged(), 0.0
        for _ in range(ROUNDS):
            with pressed(server, told):
                postgres.kill()
                failed = len(told.failures)
                server.wait_for(lambda failed=failed: len(told.failures) > failed + 8)  # type: ignore[misc]  # called at once
                postgres.restart()
                slowest = max(slowest, recovery(server))
        calls = f"{len(told.request_ids)} calls acknowledged, {len(told.failures)} failed in {told.slowest:.1f} s at most"
        _LOG.info("%s; recovery in %.2f s", calls, slowest)
        assert set(told.failures) == {"KMSInternalException"}
        assert told.slowest < DEADLINE + GENEROUS
        assert server.worker_pids() == workers
        check(server, told)
    finally:
        server.stop()
        postgres.stop()
