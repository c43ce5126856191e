"""`kms-server audit prune` beside a server that answers lookups."""

import json
import threading
import time
from pathlib import Path

import pytest

from kms_server.audit.sealing import seal
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.clock import DAY
from kms_server.config import Limits, Settings
from kms_server.server.state import open_state
from tests.functional.command_line import refused, serve
from tests.functional.server_process import ServerProcess, StartServer
from tests.unit.audit.pruning_scene import NOW, dated

_SEGMENTS, _ROWS = 12, 50
_EVENT = "OldEvent"


def add_old_segments(server: ServerProcess, days: float) -> list[Path]:
    """Sealed segments of a worker that was there so many days ago."""
    settings = Settings(server.data_dir)
    state = open_state(settings)
    ago = days + (NOW - time.time()) / DAY
    before = set(segment_files(settings.audit_dir))
    for number in range(_SEGMENTS):
        log = SegmentLog(settings.audit_dir, Limits(segment_rows=_ROWS), state.chain_key)
        log.append(
            [
                dated(ago - number / 100, one, account="000000000000", event_name=_EVENT)
                for one in range(_ROWS)
            ]
        )
        log.close()
    seal(settings.audit_dir)
    state.database.close()
    return [path for path in segment_files(settings.audit_dir) if path not in before]


def count_old(server: ServerProcess) -> int:
    wanted = [{"AttributeKey": "EventName", "AttributeValue": _EVENT}]
    pages = server.client("cloudtrail").get_paginator("lookup_events").paginate(LookupAttributes=wanted)
    return sum(len(page["Events"]) for page in pages)


@pytest.mark.embedded("segments")
def test_lookups_go_on_while_records_are_pruned(start_server: StartServer) -> None:
    server = start_server()
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key, Plaintext=b"x")
    used = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
    added = add_old_segments(server, days=40)
    assert count_old(server) == _SEGMENTS * _ROWS
    done = server.cli("audit", "prune", "--dry-run")
    assert done.stdout == "0 records would go, 0.0 MiB\n"
    done = server.cli("audit", "prune", "--older-than", "30d", "--dry-run")
    assert done.stdout.startswith(f"{_SEGMENTS * _ROWS} records would go")
    assert count_old(server) == _SEGMENTS * _ROWS

    counts: list[int] = []
    pruned = threading.Event()

    def look() -> None:
        while not pruned.is_set() or counts[-1]:
            counts.append(count_old(server))

    looking = threading.Thread(target=look)
    looking.start()
    server.wait_for(lambda: len(counts) > 1)
    done = server.cli("audit", "prune", "--older-than", "30d")
    pruned.set()
    looking.join()
    assert done.stdout.startswith(f"{_SEGMENTS * _ROWS} records pruned")
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0
    assert not [path for path in added if path.exists()]
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"] == used
    (record,) = server.cli(
        "audit", "query", "--event", "PruneAuditLog", "--format", "jsonl"
    ).stdout.splitlines()
    assert json.loads(record)["requestParameters"] == {"olderThan": "30d"}


@pytest.mark.embedded("segments")
def test_a_server_prunes_by_itself(start_server: StartServer) -> None:
    server = start_server()
    server.stop()
    added = add_old_segments(server, days=100)
    server.restart()
    server.wait_for(lambda: not any(path.exists() for path in added))
    assert count_old(server) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--audit-retention-size", "20GB"], "'20GB' is not a size"),
        (["--audit-retention-size", "-1"], "'-1' is not a size"),
        (["--audit-retention-days", "-1"], "audit-retention-days"),
    ],
)
def test_limits_that_are_none(tmp_path: Path, given: list[str], said: str) -> None:
    done = serve("--data-dir", str(tmp_path / "data"), *given)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_span_that_is_none(start_server: StartServer) -> None:
    refused(
        start_server(workers=1).cli("audit", "prune", "--older-than", "30", check=False),
        "'30' is not a span of time",
    )
