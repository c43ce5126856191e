"""A process that writes to a segment log: `python segment_writer.py <what> <directory>`."""

import os
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kms_server.audit.group_commit import GroupCommit, wait
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.config import Limits
from kms_server.errors import KMSInternalException
from tests.unit.audit.audit_rows import CHAIN_KEY, row

BATCHES = 20
_TOO_SMALL = 4_096


def told(commit: GroupCommit) -> str:
    """Submit one row and tell what its ticket says."""
    one = row()
    try:
        wait(commit.submit(one), 10)
    except KMSInternalException:
        return "failed"
    return one.event_id


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def batches(directory: Path) -> None:
    """Single submissions, each told as soon as it is acknowledged."""
    commit = GroupCommit(SegmentLog(directory, Limits(), CHAIN_KEY), Limits())
    for _ in range(BATCHES):
        say(told(commit))
    commit.close()


def endless(directory: Path) -> None:
    """Concurrent submissions until somebody kills the process."""
    _endless(SegmentLog(directory, Limits(), CHAIN_KEY))


def changes(directory: Path) -> None:
    """The same, with a change of segments after every few batches."""
    _endless(SegmentLog(directory, Limits(segment_rows=12), CHAIN_KEY, ThreadPoolExecutor(1)))


def deferred(directory: Path) -> None:
    """The same, with batches that wait in the backlog."""
    _endless(SegmentLog(directory, Limits(), CHAIN_KEY, ThreadPoolExecutor(1)))


def _endless(log: SegmentLog) -> None:
    commit = GroupCommit(log, Limits())
    while True:
        rows = [row() for _ in range(5)]
        tickets = [commit.submit(one) for one in rows]
        for one, ticket in zip(rows, tickets, strict=True):
            wait(ticket, 10)
            say(one.event_id)


def file_size(directory: Path) -> None:
    """Submissions before, under and after a limit on the size of files."""
    commit = GroupCommit(SegmentLog(directory, Limits(), CHAIN_KEY), Limits())
    say(told(commit))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_TOO_SMALL, hard))
    for _ in range(10):
        say(told(commit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    say(str(len(segment_files(directory))))
    say(told(commit))
    commit.close()


if __name__ == "__main__":
    {
        "batches": batches,
        "endless": endless,
        "changes": changes,
        "deferred": deferred,
        "file_size": file_size,
    }[sys.argv[1]](Path(sys.argv[2]))
