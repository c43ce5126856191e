"""Whether this worker can serve."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from kms_server.audit.group_commit import GroupCommit
from kms_server.config import Settings
from kms_server.server.probe import Probe, Remembered
from kms_server.storage import injected_faults
from kms_server.storage.database import Database, latest_change
from kms_server.storage.reserve import Reserve

_SLOW_WRITE = 2.0
_PATIENCE = 1.0
_FAULTS_SECONDS = 1.0
# A log that failed is tried again by calls, and nobody sends any to a worker that is not ready.
_RECENT_SECONDS = 5.0
# Says what is wrong, or None; never waits for long.
Check: TypeAlias = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Health:
    """`checks` find what makes the worker unready, `hints` what somebody should look at before it does."""

    checks: tuple[Check, ...]
    hints: list[Check] = field(default_factory=list)

    def problems(self) -> list[str]:
        """What is wrong now; empty when the worker is ready."""
        return [problem for check in self.checks if (problem := check()) is not None]

    def warnings(self) -> list[str]:
        """What will be wrong if nobody looks after it."""
        return [warning for hint in self.hints if (warning := hint()) is not None]


def health_of(
    settings: Settings, database: Database, commits: Mapping[str, GroupCommit], reserve: Reserve
) -> Health:
    """The health of a worker: its database, its writers and its logs, each by the name of what it records."""
    probe = Probe(partial(_touch, settings, database), _PATIENCE)

    def database_answers() -> str | None:
        trouble = probe.trouble()
        return f"the database {trouble}" if trouble else None

    logs = (partial(log_is_written, name, commit) for name, commit in commits.items())
    room = (partial(has_room, reserve),) if settings.database_url is None else ()
    checks = (database_answers, partial(changes_are_made, database), *logs, *room)
    injected = Remembered(partial(nothing_injected, database), _FAULTS_SECONDS)
    return Health(checks, [partial(is_roomy, reserve), injected])


def changes_are_made(database: Database) -> str | None:
    """Whether transactions that write come to their end."""
    longest = database.writers.longest()
    if longest > database.waits.patience:
        return f"changes are not written: one has waited for the storage for {longest:.0f} s so far"
    return None


def log_is_written(name: str, commit: GroupCommit) -> str | None:
    """Whether a log takes records."""
    stuck = commit.stuck_for()
    if stuck > _SLOW_WRITE:
        return f"the log of {name} is stuck: its disk does not answer for {stuck:.0f} s so far"
    error = commit.last_error
    if error and time.monotonic() - commit.failed_at < _RECENT_SECONDS:
        return f"the log of {name} cannot be written: {error}"
    return None


def has_room(reserve: Reserve) -> str | None:
    """Whether the log may use the disk."""
    try:
        return "the disk is full but for its reserve: data calls are refused" if reserve.is_used() else None
    except OSError as error:
        return f"the free space of the disk is not known: {error.strerror}"


def is_roomy(reserve: Reserve) -> str | None:
    """Whether there is more free space than twice the reserve."""
    try:
        free = reserve.free()
    except OSError as error:
        return f"the free space of the disk is not known: {error.strerror}"
    if free < 2 * reserve.size:
        return f"{free >> 20} MiB are free on the disk: below {reserve.size >> 20} MiB data calls are refused"
    return None


def nothing_injected(database: Database) -> str | None:
    """Whether no faults are set that calls may meet."""
    with database.read() as connection:
        faults = injected_faults.number_of(connection)
    if faults == 0:
        return None
    return f"{faults} injected {'fault is' if faults == 1 else 'faults are'} set: `kms-server quota injected`"


def _touch(settings: Settings, database: Database) -> None:
    with database.read() as connection:
        latest_change(connection)
    if settings.database_url is None:
        _sync(settings.state_dir / "probe")


def _sync(path: Path) -> None:
    """Have the disk take a byte: what is read may come from memory."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, b"\0", 0)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
