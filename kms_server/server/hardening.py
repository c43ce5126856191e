"""What keeps the memory of the server's processes to themselves. Linux alone has all of it."""

import ctypes
import os
import resource
from pathlib import Path

from kms_server.config import Settings
from kms_server.errors import OperatorError

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_DUMPABLE = 4  # prctl(2)
_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4  # mlockall(2)
_CAP_IPC_LOCK = 14


def require_lockable(settings: Settings) -> None:
    """Check that --lock-memory can be kept up, however much memory is needed later.

    Raises:
        OperatorError: a limit would end the server instead.
    """
    if not settings.lock_memory:
        return
    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    if not (unlimited or _has_capability()):
        raise OperatorError(
            "--lock-memory needs memory to be lockable without limit: run `ulimit -l unlimited`, or set "
            "LimitMEMLOCK=infinity in the systemd unit"
        )


def close_memory(settings: Settings) -> list[str]:
    """No core dumps, and no process of the same user looks in; processes that are forked afterwards inherit both.

    The answer says what holds.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = ["no core dumps"]
    if not settings.allow_tracing and _closed():
        held.append("closed to other processes of this user")
    if settings.lock_memory:
        held.append("locked")
    return held


def lock_memory(settings: Settings) -> None:
    """Keep this process's memory from being swapped out, if that was asked for; each process does so for itself.

    Raises:
        OperatorError: it cannot be done.
    """
    if settings.lock_memory and _LIBC.mlockall(_CURRENT | _FUTURE | _ON_FAULT) != 0:
        raise OperatorError(
            f"cannot lock the memory: {os.strerror(ctypes.get_errno())}; leave out --lock-memory"
        )


def _closed() -> bool:
    """Whether this process is no longer dumpable, which its user's other processes need to trace it (ptrace(2))."""
    try:
        return bool(_LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
    except AttributeError:
        return False


def _has_capability() -> bool:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return False
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _CAP_IPC_LOCK & 1)
