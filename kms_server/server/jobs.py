"""Background work: what falls due on keys, the sealing of full audit segments, and the chores of services."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from kms_server.audit.ledger import Ledger
from kms_server.audit.sealing import seal
from kms_server.diagnosis import in_words
from kms_server.files import lock_file, take
from kms_server.keyring.keyring import Keyring
from kms_server.operations.lifecycle import Lifecycle
from kms_server.server.audit_trail import take_in_what_is_left
from kms_server.server.state import State
from kms_server.server.threads import PATIENT, be_nice
from kms_server.storage.reserve import Reserve

_LOG = logging.getLogger(__name__)
_JOBS, _SEALING = "jobs", "sealing"
_REREAD_SECONDS = 0.25
_TICKS_PER_STEP = 4
_CHORES_SECONDS = 1.0
_LOCK_SECONDS = 0.02
_RESTS = 2  # times as long as the step took: requests come first


# Works in short steps and yields after each; it may be left between any two.
Chore = Callable[[], Iterator[object]]


class Jobs:
    """Threads of a worker; locks that die with their holder let one worker of the host do the work of each.

    One thread does what may not wait: it rereads what changed, and carries out what falls due on keys. Another seals full
    segments of the audit log, and stands back for requests. Each group of `chores` has one, too: they may take hours, one
    after the other, and rest after every step.
    """

    def __init__(
        self, state: State, keyring: Keyring, reserve: Reserve, chores: Mapping[str, Sequence[Chore]]
    ) -> None:
        self._state = state
        self._reserve = reserve
        self._keyring = keyring
        self._chores = chores
        self._lifecycle = Lifecycle(state.database, state.root_key, state.clock, Ledger(state.chain_key))
        self._held = ExitStack()
        self._locks = {
            name: self._held.enter_context(lock_file(state.settings.state_dir / f"{name}.lock"))
            for name in (_JOBS, _SEALING, *chores)
        }
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=_JOBS, daemon=True)]
        if state.settings.database_url is None:
            self._threads.append(threading.Thread(target=self._seal, name=_SEALING, daemon=True))
        self._threads += [
            threading.Thread(target=self._tend, args=(name, group), name=name, daemon=True)
            for name, group in chores.items()
            if group
        ]

    def start(self) -> None:
        """Begin working."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the steps at hand and end; others go on with chores after `close`, since some stop in the middle."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def finish(self, name: str, seconds: float) -> None:
        """Do a group's chores a last time, after `stop`, unless another process of the host is at it all that time."""
        deadline = time.monotonic() + seconds
        while not take(self._locks[name]):
            if time.monotonic() > deadline:
                return
            time.sleep(_LOCK_SECONDS)
        for chore in self._chores[name]:
            self._attempt(partial(_until, deadline, chore))

    def close(self) -> None:
        """Leave the chores to others."""
        self._held.close()

    def _run(self) -> None:
        ticks = 0
        while not self._stopping.wait(_REREAD_SECONDS):
            ticks += 1
            self._attempt(self._keyring.reread)
            if ticks % _TICKS_PER_STEP == 0 and take(self._locks[_JOBS]):
                self._attempt(self._step)

    def _seal(self) -> None:
        be_nice(PATIENT)
        directories = (self._state.settings.audit_dir, self._state.settings.data_audit_dir)
        while not self._stopping.wait(_CHORES_SECONDS):
            if not take(self._locks[_SEALING]):
                continue
            self._attempt(partial(take_in_what_is_left, self._state))
            # Indexes take room, too; a segment can be read and pruned without.
            for directory in directories:
                if not self._stopping.is_set() and not self._reserve.is_used():
                    self._attempt(partial(seal, directory, self._rest))

    def _rest(self, seconds: float) -> None:
        """Stand back after so many seconds of work."""
        self._stopping.wait(_RESTS * seconds)

    def _tend(self, name: str, group: Sequence[Chore]) -> None:
        while not self._stopping.wait(_CHORES_SECONDS):
            if take(self._locks[name]):
                for chore in group:
                    self._attempt(partial(self._do, chore))

    def _do(self, chore: Chore) -> None:
        began = time.monotonic()
        for _ in chore():
            self._rest(time.monotonic() - began)
            if self._stopping.is_set():
                return
            began = time.monotonic()

    def _step(self) -> None:
        self._keyring.refresh(may_block=True)
        self._attempt(self._lifecycle.run_due)

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - without this thread nothing would rotate, expire or be reread
            _LOG.error("background work failed, it is tried again: %s", in_words(error))


def _until(deadline: float, chore: Chore) -> None:
    for _ in chore():
        if time.monotonic() > deadline:
            return
