"""A change of the root key, step by step; each step may be repeated, and whoever comes next goes on from the last.

The new version is made in its place and announced. Every process that serves takes it up and says so. Then it becomes
the current one, and when all processes wrap under it, what is under the former one is wrapped anew. When nothing is left,
the former one retires.
"""

import time
from collections.abc import Callable

from kms_server.cli.operator import change
from kms_server.cli.terminal import progress
from kms_server.clock import real_now
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.errors import OperatorError
from kms_server.operations import rewrapping
from kms_server.root_keys.provider import RootPlace
from kms_server.root_keys.ring import prefix_of
from kms_server.server.root_custody import take_up, vouch
from kms_server.server.root_holding import forget_dead, living
from kms_server.server.state import State
from kms_server.storage import root_versions, settings
from kms_server.storage.root_holders import RootHolder
from kms_server.storage.root_versions import RootState, RootVersion, in_state

_LOOK_SECONDS = 0.1
_MOST_DAMAGED_SHOWN = 5


class _StillNeeded(Exception):
    """Something is wrapped under a version that was to retire."""


class RootChange:
    """What `root rotate` and `root migrate` do; `patience` is for how many seconds they wait for other processes."""

    def __init__(self, state: State, patience: float) -> None:
        self._state = state
        self._patience = patience

    def under_way(self) -> RootVersion | None:
        """The version that a change leads to which was begun and is not finished."""
        versions = self._versions()
        announced = in_state(versions, RootState.ANNOUNCED)
        if announced is None and in_state(versions, RootState.FORMER) is not None:
            return in_state(versions, RootState.CURRENT)
        return announced

    def begin(self, name: str, place: RootPlace) -> None:
        """Make the next version in its place, durably, and announce it; `name` is that of the audited event.

        Raises:
            OperatorError: it cannot be made there, or another command has begun meanwhile.
        """
        version = self._versions()[-1].version + 1
        made = place.make(version)
        with change(self._state, name, DEFAULT_ACCOUNT, version=version, place=place.spec) as begun:
            if root_versions.every(begun.tx.connection)[-1].version != version - 1:
                raise OperatorError(
                    "another command has just begun to change the root key: run `root rotate` to go on"
                )
            endorsement = vouch(self._state.root_key, version, made.fingerprint, place.spec)
            root_versions.announce(
                begun.tx,
                RootVersion(
                    version, RootState.ANNOUNCED, made.fingerprint, place.spec, endorsement=endorsement
                ),
            )

    def finish(self) -> int:
        """Carry out what is left of a change; the version that has retired.

        Raises:
            OperatorError: a process does not take the new version up, or something does not open under the former one.
        """
        forget_dead(self._state.database, self._state.settings.state_dir)
        self._take_up()
        announced = in_state(self._versions(), RootState.ANNOUNCED)
        if announced is not None:
            self._wait(lambda one: announced.version in one.holds, f"hold version {announced.version}")
            self._activate(announced.version)
            self._take_up()
        former = in_state(self._versions(), RootState.FORMER)
        if former is None:
            raise OperatorError("another command has just finished the change: see `kms-server root status`")
        current = self._state.root_key.current
        self._wait(lambda one: one.wraps >= current, f"wrap under version {current}")
        while not self._retired(former.version):
            self._rewrap(former.version)
        self._state.database.erase_freed_pages()
        return former.version

    def _take_up(self) -> None:
        problem = take_up(self._state.settings, self._versions(), self._state.root_key)
        if problem is not None:
            raise OperatorError(problem)

    def _wait(self, is_ready: Callable[[RootHolder], bool], wanted: str) -> None:
        """Wait until all living processes are ready.

        Raises:
            OperatorError: one is not; it and its problem are named.
        """
        began = time.monotonic()
        while True:
            waited = time.monotonic() - began
            with self._state.database.read() as connection:
                holders = living(connection, self._state.settings.state_dir, waited)
            late = [one for one in holders if not is_ready(one)]
            if not late:
                return
            if waited > self._patience:
                raise OperatorError(f"{told(late[0])} does not {wanted}: {remedy(late[0])}")
            time.sleep(_LOOK_SECONDS)

    def _activate(self, version: int) -> None:
        with change(self._state, "ActivateRootKey", DEFAULT_ACCOUNT, version=version) as made:
            announced = in_state(root_versions.every(made.tx.connection), RootState.ANNOUNCED)
            if announced is None or announced.version != version:
                raise OperatorError("another command changes the root key, too: run this one again to go on")
            # Whoever has started since the wait is in its row as well.
            holders = living(made.tx.connection, self._state.settings.state_dir, self._patience)
            late = [one for one in holders if version not in one.holds]
            if late:
                raise OperatorError(f"{told(late[0])} has just started: run the command again to go on")
            root_versions.activate(made.tx, prefix_of(version), real_now())

    def _rewrap(self, version: int) -> None:
        with self._state.database.read() as connection:
            left = sum(rewrapping.counts(connection, version).values())
        damaged: list[str] = []
        with progress(left) as move:
            began = time.monotonic()
            for batch in rewrapping.rewrap(self._state.database, self._state.root_key, version):
                damaged += batch.damaged
                move(batch.rewrapped)
                # Calls come first: rest as long as the batch took.
                time.sleep(time.monotonic() - began)
                began = time.monotonic()
        if damaged:
            raise OperatorError(
                f"{len(damaged)} of what is under version {version} of the root key does not open, so that it stays: "
                f"restore it from a backup, or delete it: {'; '.join(damaged[:_MOST_DAMAGED_SHOWN])}"
            )

    def _retired(self, version: int) -> bool:
        """Retire a version under which nothing is left; False: something is."""
        try:
            self._retire(version)
        except _StillNeeded:
            return False
        return True

    def _retire(self, version: int) -> None:
        with change(self._state, "RetireRootKey", DEFAULT_ACCOUNT, version=version) as made:
            if any(rewrapping.counts(made.tx.connection, version).values()):
                raise _StillNeeded
            root_versions.retire(made.tx, real_now())
            settings.put(made.tx, settings.UNERASED, str(made.tx.stamp))

    def _versions(self) -> list[RootVersion]:
        with self._state.database.read() as connection:
            return root_versions.every(connection)


def told(one: RootHolder) -> str:
    """A process as messages call it."""
    return f"process {one.pid} of {one.host}"


def remedy(one: RootHolder) -> str:
    """What keeps a process from following, and what to do."""
    return f"{one.problem or 'it does not answer'}; mend that, or end the process, and run the command again to go on"
