"""Background work: what falls due on keys, and the sealing of full audit segments."""

import fcntl
import logging
import os
import threading
from collections.abc import Callable
from functools import partial

from kms_server.audit.segments import seal
from kms_server.keyring.keyring import Keyring
from kms_server.operations.lifecycle import Lifecycle
from kms_server.server.state import State

_LOG = logging.getLogger(__name__)
_REREAD_SECONDS = 0.25
_TICKS_PER_STEP = 4


class Jobs:
    """One thread per worker; a lock that dies with its holder lets one worker of the host do the work."""

    def __init__(self, state: State, keyring: Keyring) -> None:
        self._state = state
        self._keyring = keyring
        self._lifecycle = Lifecycle(state.database, state.root_key, state.clock)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin working."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the step at hand and end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        path = self._state.settings.state_dir / "jobs.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            ticks = 0
            while not self._stopping.wait(_REREAD_SECONDS):
                ticks += 1
                self._attempt(self._keyring.reread)
                if ticks % _TICKS_PER_STEP == 0 and _taken(descriptor):
                    self._attempt(self._step)
        finally:
            os.close(descriptor)

    def _step(self) -> None:
        self._keyring.refresh(may_block=True)
        self._lifecycle.run_due()
        if self._state.settings.database_url is None:
            for directory in (self._state.settings.audit_dir, self._state.settings.data_audit_dir):
                self._attempt(partial(seal, directory))

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - without this thread nothing would rotate, expire or be reread
            _LOG.error("background work failed, it is tried again: %s", type(error).__name__)


def _taken(descriptor: int) -> bool:
    """Whether this process holds the lock by which one worker of the host does the work."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
