"""The memory of a server's processes: no core dumps, no swap, no look from outside."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.command_line import refused, serve
from tests.functional.server_process import ServerProcess, StartServer

CLOSED = """
import ctypes, sys
from pathlib import Path
from kms_server.config import Settings
from kms_server.server import hardening

hardening.close_memory(Settings(Path(), allow_tracing=sys.argv[1] == "open"))
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
"""


def of_each_process(server: ServerProcess, file: str) -> list[str]:
    return [Path(f"/proc/{pid}/{file}").read_text() for pid in (server.pid, *server.worker_pids())]


@pytest.mark.parametrize(("told", "dumpable"), [("closed", "0"), ("open", "1")])
def test_a_process_is_closed_unless_it_is_told_otherwise(told: str, dumpable: str) -> None:
    done = subprocess.run([sys.executable, "-c", CLOSED, told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == dumpable


def test_no_process_of_a_server_dumps_core_or_is_swapped_out(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_ALLOW_TRACING": "0", "KMS_SERVER_LOCK_MEMORY": "1"})
    server.client("kms").create_key()
    for limits in of_each_process(server, "limits"):
        (line,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"]
    for status in of_each_process(server, "status"):
        (line,) = (line for line in status.splitlines() if line.startswith("VmLck"))
        assert int(line.split()[1]) > 10_000
    assert "memory: no core dumps, closed to other processes of this user, locked" in server.log.read_text()


def test_memory_that_could_not_stay_locked_is_not_locked_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kms_server.server import hardening

    monkeypatch.setattr(hardening, "_has_capability", lambda: False)
    kept = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if kept[0] == resource.RLIM_INFINITY:
        pytest.skip("memory can be locked without limit here")
    refused(
        serve("--lock-memory", "--data-dir", str(tmp_path / "data")), "--lock-memory", "LimitMEMLOCK=infinity"
    )
    assert not (tmp_path / "data").exists()
