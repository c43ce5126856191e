"""Keeps a processor awake while calls come.

A processor with nothing to do goes to sleep. To wake it takes as long as a tenth of a call, more in a virtual machine, and it
has forgotten much of what it had in its caches. A call with few others beside it would pay for that when it arrives and again when its
record is on the disk. So a thread of the lowest priority has something to do as long as calls come; whatever else wants the
processor gets it at once.
"""

import hashlib
import os
import threading
import time
from functools import partial
from pathlib import Path

# The next call of a client that waits for each answer comes sooner, on most disks after a sync as well.
SECONDS = 0.001
# It takes a set time and next to no memory, and leaves the interpreter's lock to others.
_work = partial(hashlib.pbkdf2_hmac, "sha256", b"", b"")
_TRIAL = 1_000
_PIECE_SECONDS = 0.0002
_CGROUPS = Path("/sys/fs/cgroup")


class Vigil:
    """Lasts `seconds` from the last call; where the system has no such priority there is none."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._until = 0.0
        self._rests = self._over = False
        self._woken = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="vigil", daemon=True)
        self._thread.start()

    def extend(self) -> None:
        """A call has come; for the event loop's thread alone."""
        self._until = time.monotonic() + self._seconds
        # Between its last look at the time and its rest the thread may miss this; the next call wakes it.
        if self._rests:
            self._rests = False
            self._woken.release()

    def close(self) -> None:
        """End it."""
        self._over, self._until = True, 0.0
        self._woken.release()
        self._thread.join()

    def _run(self) -> None:
        try:
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))
        except OSError:
            return
        began = time.thread_time()
        _work(_TRIAL)
        rounds = max(1, int(_TRIAL * _PIECE_SECONDS / (time.thread_time() - began)))
        while not self._over:
            while time.monotonic() < self._until:
                _work(rounds)
            self._rests = True
            self._woken.acquire()


def is_metered(process: Path = Path("/proc/self/cgroup"), groups: Path = _CGROUPS) -> bool:
    """Whether the processor time of this process is limited, by the control groups (version 2) that can be seen."""
    try:
        own = process.read_text().rpartition("0::/")[2].strip()
    except OSError:
        return False
    group = groups / own
    return any(_has_quota(one) for one in (group, *group.parents) if one.is_relative_to(groups))


def _has_quota(group: Path) -> bool:
    try:
        return not (group / "cpu.max").read_text().startswith("max")
    except OSError:
        return False
