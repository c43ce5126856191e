"""The server, whose processes any process of the same user may look into; for `bench.profile_cpu` alone.

The server is told to allow that. Where the kernel besides lets a process be looked into only by those above it (Yama, ptrace_scope 1), a profiler beside it needs
this or root.
"""

import ctypes
import os

from kms_server.cli.main import main

_PR_SET_PTRACER = 0x59616D61  # prctl(2); without Yama it fails, and nothing is needed
_ANY = ctypes.c_ulong(-1)


def allow() -> None:
    """Let this process be looked into."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY, 0, 0, 0)


if __name__ == "__main__":
    os.environ["KMS_SERVER_ALLOW_TRACING"] = "1"
    allow()
    os.register_at_fork(after_in_child=allow)
    main()
