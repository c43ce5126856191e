"""Whether this worker can serve."""

import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection

from kms_server.audit.group_commit import GroupCommit
from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.root_keys.ring import RootKeys
from kms_server.server.probe import Probe, Remembered
from kms_server.server.root_custody import places_told
from kms_server.server.state import State
from kms_server.storage import injected_faults, root_versions
from kms_server.storage.database import Database, latest_change
from kms_server.storage.fitness import require_writable, schema_problem, schema_warning
from kms_server.storage.reserve import Reserve
from kms_server.storage.root_versions import RootState, in_state

_SLOW_WRITE = 2.0
_PATIENCE = 1.0
_LOOKUP_SECONDS = 1.0
_DRAINING = "the server is stopping: it takes no new clients"
# A log that failed is tried again by calls, and nobody sends any to a worker that is not ready.
_RECENT_SECONDS = 5.0
# Says what is wrong, or None; never waits for long.
Check: TypeAlias = Callable[[], str | None]


class Report(NamedTuple):
    """What was found: of each check and hint by its name what is wrong, or None."""

    checks: Mapping[str, str | None]
    hints: Mapping[str, str | None]

    @property
    def problems(self) -> list[str]:
        """What is wrong now; empty when the worker is ready."""
        return [problem for problem in self.checks.values() if problem is not None]

    @property
    def warnings(self) -> list[str]:
        """What will be wrong if nobody looks after it."""
        return [warning for warning in self.hints.values() if warning is not None]

    def entries(self) -> dict[str, dict[str, str]]:
        """An entry for each name, as `/_kms/ready` shows it."""
        failed = {name: _entry("failed", found) for name, found in self.checks.items()}
        return failed | {name: _entry("warning", found) for name, found in self.hints.items()}


@dataclass(slots=True)
class Health:
    """`checks` find what makes the worker unready, `hints` what somebody should look at before it does.

    `draining` is set when the worker has been told to stop: from then on it is unready, though it still answers.
    """

    checks: Mapping[str, Check] = field(default_factory=dict)
    hints: dict[str, Check] = field(default_factory=dict)
    draining: bool = False

    def report(self) -> Report:
        """What is wrong now. Each check that costs anything remembers for a second what it found."""
        checks = {name: check() for name, check in self.checks.items()}
        checks["draining"] = _DRAINING if self.draining else None
        return Report(checks, {name: hint() for name, hint in self.hints.items()})


def health_of(state: State, commits: Mapping[str, GroupCommit], reserve: Reserve) -> Health:
    """The health of a worker: its state, its writers and its logs, each by the name of what it records."""
    settings, database = state.settings, state.database
    probe = Probe(partial(_touch, settings, database), _PATIENCE)

    def database_answers() -> str | None:
        trouble = probe.trouble()
        return f"the database {trouble}" if trouble else None

    lookups = _Lookups(
        database,
        {
            "schema": schema_problem,
            "root_key": partial(_root_key_problem, state.root_key),
            "newer_schema": schema_warning,
            "injected_faults": nothing_injected,
        },
    )
    checks: dict[str, Check] = {
        "database": database_answers,
        "changes": partial(changes_are_made, database),
        "schema": partial(lookups.found, "schema"),
        "root_key": partial(lookups.found, "root_key"),
    }
    checks |= {_name_of(log): partial(log_is_written, log, commit) for log, commit in commits.items()}
    hints: dict[str, Check] = {}
    if settings.database_url is None:
        checks["disk"] = partial(has_room, reserve)
    else:
        hints["shared_files"] = Remembered(partial(files_are_written, settings), _LOOKUP_SECONDS)
    hints |= {
        "lookups": lookups.trouble,
        "newer_schema": partial(lookups.found, "newer_schema"),
        "root_key_file": Remembered(
            partial(root_key_can_be_read_again, settings, state.root_key), _LOOKUP_SECONDS
        ),
        "injected_faults": partial(lookups.found, "injected_faults"),
        "disk_space": partial(is_roomy, reserve),
    }
    return Health(checks, hints)


class _Lookups:
    """What is looked up in the database together, once a second at most; where it cannot be, the last holds."""

    def __init__(self, database: Database, finders: Mapping[str, Callable[[Connection], str | None]]) -> None:
        self._database = database
        self._finders = finders
        self._found: dict[str, str | None] = {}
        self.trouble = Remembered(self._find, _LOOKUP_SECONDS)

    def found(self, name: str) -> str | None:
        """What was found last."""
        self.trouble()
        return self._found.get(name)

    def _find(self) -> None:
        with self._database.read() as connection:
            self._found = {name: find(connection) for name, find in self._finders.items()}


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


def files_are_written(settings: Settings) -> str | None:
    """Whether the disk takes what processes of this host share, where all else is in PostgreSQL: calls go on without."""
    try:
        _sync(settings.state_dir / "probe")
    except OSError as error:
        return f"{settings.state_dir} takes no writes ({error.strerror}): neither commands nor other workers can begin"
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


def nothing_injected(connection: Connection) -> str | None:
    """Whether no faults are set that calls may meet."""
    faults = injected_faults.number_of(connection)
    if faults == 0:
        return None
    return f"{faults} injected {'fault is' if faults == 1 else 'faults are'} set: `kms-server quota injected`"


def root_key_can_be_read_again(settings: Settings, root_key: RootKeys) -> str | None:
    """Whether the next start will find the current version, where it is told to be or has moved to; this worker has it in memory."""
    try:
        told = places_told(settings)
    except OperatorError as error:
        return str(error)
    current, problems = root_key.current, []
    for place in told:
        try:
            if place.has(current, root_key.fingerprint(current) or ""):
                return None
        except OperatorError as error:
            problems.append(str(error))
    where = ", ".join(place.name for place in told)
    said = f"version {current} of the root key is not in {where}: put it back before the next start"
    return "; ".join([said, *problems])


def _root_key_problem(root_key: RootKeys, connection: Connection) -> str | None:
    current = in_state(root_versions.every(connection), RootState.CURRENT)
    held = root_key.fingerprint(current.version) if current is not None else None
    if current is None or held is None or not secrets.compare_digest(held, current.fingerprint or ""):
        return "the database belongs to another root key than the one in use: restore the one that fits"
    return None


def _entry(state: str, found: str | None) -> dict[str, str]:
    return {"status": "ok"} if found is None else {"status": state, "detail": found}


def _name_of(log: str) -> str:
    return "log_of_" + log.replace(" ", "_")


def _touch(settings: Settings, database: Database) -> None:
    with database.read() as connection:
        latest_change(connection)
        require_writable(connection)
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
