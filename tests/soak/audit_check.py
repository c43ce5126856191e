"""The audit log beside what clients were told."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.functional.server_process import ServerProcess
from tests.soak.ledger import OK, REFUSED, Called, Violation

_COMMAND = [sys.executable, "-m", "kms_server.cli.main", "audit"]


@dataclass(frozen=True)
class Recorded:
    """What a record says of a call."""

    request_id: str
    failed: bool


@dataclass
class Log:
    """The records of a cluster: those of clients' calls by their marker, and what else is asked of it."""

    calls: dict[str, list[Recorded]] = field(default_factory=lambda: defaultdict(list))
    created: set[str] = field(default_factory=set)
    records: int = 0
    doubled: list[str] = field(default_factory=list)


def read_log(server: ServerProcess) -> Log:
    """All records, through the command line."""
    log = Log()
    events: set[str] = set()
    for line in _lines([*_COMMAND, "query", "--format", "jsonl", *server.where()]):
        record = json.loads(line)
        log.records += 1
        if record["eventID"] in events:
            log.doubled.append(record["eventID"])
        events.add(record["eventID"])
        agent = record.get("userAgent") or ""
        if agent.startswith("soak/"):
            log.calls[agent].append(Recorded(record["requestID"], record.get("errorCode") is not None))
        if record["eventName"] == "CreateKey" and record.get("errorCode") is None:
            log.created.add(record["responseElements"]["keyMetadata"]["keyId"])
    return log


def _lines(command: list[str]) -> Iterator[str]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield from process.stdout
    assert process.returncode == 0, f"{command} ended with {process.returncode}"


def verified(server: ServerProcess) -> Iterator[Violation]:
    """What `audit verify` finds."""
    done = subprocess.run(
        [*_COMMAND, "verify", *server.where()],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        yield Violation("audit verify", f"exit code {done.returncode}: {done.stdout}{done.stderr}")


def compared(log: Log, calls: Iterable[Called]) -> Iterator[Violation]:
    """Each answered call has one record that says the same, each other at most one."""
    for event_id in log.doubled:
        yield Violation("doubled record", f"event {event_id} is there twice")
    for called in calls:
        yield from _of_call(called, log.calls.get(called.marker, []))


def _of_call(called: Called, found: list[Recorded]) -> Iterator[Violation]:
    if len(found) > 1:
        yield Violation("doubled record", f"{called} has {len(found)}")
    elif called.kind not in {OK, REFUSED}:
        return
    elif called.code == "UnrecognizedClientException":
        # Nobody is known to have made it, so there is nobody to record.
        if found:
            yield Violation("wrong record", f"{called} has one")
    elif not found:
        yield Violation("lost record", f"{called} has none")
    elif found[0] != Recorded(called.request_id, called.kind == REFUSED):
        yield Violation("wrong record", f"{called} has {found[0]}")


def outcomes(log: Log) -> Counter[str]:
    """How many records each kind of call has."""
    return Counter({"records": log.records, "of clients' calls": sum(map(len, log.calls.values()))})
