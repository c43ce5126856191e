"""How a process that serves follows the root key, and lets everybody know which versions it holds.

Each has a row in the database for as long as it lives. It looks at the versions a few times a second; while a change of
the root key is under way it takes up what is announced or current, and tells what it holds, again and again. The lock of
its file in the state directory tells other processes of the host that it lives; those of other hosts count as gone when
they have been silent for long.
"""

import logging
import os
import secrets
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from sqlalchemy import Connection

from kms_server.errors import OperatorError
from kms_server.files import locked, make_private_dir, take
from kms_server.server.root_custody import lacks, take_up
from kms_server.server.state import State
from kms_server.storage import root_holders, root_versions
from kms_server.storage.database import Database
from kms_server.storage.root_holders import RootHolder
from kms_server.storage.root_versions import RootState, RootVersion

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25
_TELL_SECONDS = 5.0
# Calls that read a row before it was wrapped anew open it within this time.
_KEEP_SECONDS = 10.0
SILENT_SECONDS = 30.0


class _Told(NamedTuple):
    """What a process has said last."""

    holds: frozenset[int]
    wraps: int
    problem: str | None


class RootHolding:
    """A thread that keeps up with the root key, while the block of its `with` runs."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._holder = secrets.token_hex(8)
        self._alive = _alive_file(state.settings.state_dir, self._holder)
        self._alive_here = ExitStack()
        self._told: _Told | None = None
        self._told_at = 0.0
        self._problem: str | None = None
        self._retired_since: dict[int, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="root", daemon=True)

    def start(self) -> None:
        """Say what this process holds, and follow.

        Raises:
            OperatorError: a version is missing under which something may be wrapped.
        """
        make_private_dir(self._alive.parent)
        with ExitStack() as stack:
            stack.enter_context(locked(self._alive))
            stack.callback(self._alive.unlink, missing_ok=True)
            forget_dead(self._state.database, self._state.settings.state_dir)
            self._take_up(_versions(self._state.database))
            with self._state.database.write() as tx:
                # From this commit on whoever changes the root key waits for this process, too.
                if lacks(root_versions.every(tx.connection), self._state.root_key):
                    raise OperatorError(self._problem or "the root key has just changed: start again")
                root_holders.tell(tx.connection, self._row())
            self._alive_here = stack.pop_all()
        self._thread.start()

    def stop(self) -> None:
        """Follow no more; nobody waits for this process from now on."""
        self._stopping.set()
        self._thread.join()
        try:
            with self._state.database.index() as connection:
                root_holders.remove(connection, [self._holder])
        except Exception as error:  # noqa: BLE001 - it must not hinder the end, with which the lock goes
            _LOG.error("the end of this process is not noted: %s", type(error).__name__)
        self._alive_here.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - without this thread a change of the root key would not be noticed
                _LOG.error("looking after the root key failed, it is tried again: %s", type(error).__name__)

    def _step(self) -> None:
        versions = _versions(self._state.database)
        self._take_up(versions)
        self._drop_retired(versions)
        changing = any(one.state in (RootState.ANNOUNCED, RootState.FORMER) for one in versions)
        is_late = changing and time.monotonic() - self._told_at > _TELL_SECONDS
        if is_late or self._now_so() != self._told:
            with self._state.database.index() as connection:
                root_holders.tell(connection, self._row())

    def _take_up(self, versions: list[RootVersion]) -> None:
        problem = take_up(self._state.settings, versions, self._state.root_key)
        if problem is not None and problem != self._problem:
            _LOG.warning("%s", problem)
        self._problem = problem

    def _drop_retired(self, versions: list[RootVersion]) -> None:
        now, root = time.monotonic(), self._state.root_key
        for one in versions:
            if one.state is RootState.RETIRED and one.version in root.versions - {root.current}:
                since = self._retired_since.setdefault(one.version, now)
                if now - since > _KEEP_SECONDS:
                    root.drop(one.version)

    def _now_so(self) -> _Told:
        root = self._state.root_key
        return _Told(root.versions, root.current, self._problem)

    def _row(self) -> RootHolder:
        self._told, self._told_at = self._now_so(), time.monotonic()
        return RootHolder(self._holder, socket.gethostname(), os.getpid(), *self._told)


def living(connection: Connection, state_dir: Path, waited: float) -> list[RootHolder]:
    """The processes that serve: without those of this host that have died, and those of others that are silent.

    While the root key changes all tell again and again; `waited` is for how many seconds it has been changing.
    """
    return [one for one in root_holders.every(connection) if not _is_gone(state_dir, one, waited)]


def forget_dead(database: Database, state_dir: Path) -> None:
    """Drop the rows of processes of this host that were killed."""
    with database.read() as connection:
        dead = [one.holder for one in root_holders.every(connection) if _has_died(state_dir, one)]
    if dead:
        with database.index() as connection:
            root_holders.remove(connection, dead)
        for holder in dead:
            _alive_file(state_dir, holder).unlink(missing_ok=True)


def _is_gone(state_dir: Path, one: RootHolder, waited: float) -> bool:
    if _alive_file(state_dir, one.holder).exists():
        return _has_died(state_dir, one)
    return min(one.silent_for, waited) > SILENT_SECONDS


def _has_died(state_dir: Path, one: RootHolder) -> bool:
    """Whether a process of this host left its file unlocked."""
    try:
        with _alive_file(state_dir, one.holder).open("rb") as file:
            return take(file.fileno())
    except FileNotFoundError:
        return False


def _alive_file(state_dir: Path, holder: str) -> Path:
    return state_dir / "holders" / holder


def _versions(database: Database) -> list[RootVersion]:
    with database.read() as connection:
        return root_versions.every(connection)
