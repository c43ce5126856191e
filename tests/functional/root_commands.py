"""`kms-server root`, and a rotation that is killed on its way."""

import itertools
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from kms_server.operations import rewrapping
from kms_server.storage.database import Database, Transaction
from tests.functional.command_line import run
from tests.functional.server_process import ServerProcess


def status_of(*where: str) -> dict[str, Any]:
    """What `root status` tells."""
    found: dict[str, Any] = json.loads(run("root", "status", "--format", "json", *where).stdout)
    return found


def status_at(server: ServerProcess) -> dict[str, Any]:
    """The same, asked on a server's host."""
    found: dict[str, Any] = json.loads(server.cli("root", "status", "--format", "json").stdout)
    return found


def killed_rotation(*where: str, fatal: int) -> bool:
    """Rotate in batches of one, killed before its commit number `fatal`; False: it was done before."""
    child = os.fork()
    if child == 0:
        os._exit(_rotated(where, fatal))
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, -signal.SIGKILL)
    return ended != 0


def _rotated(where: tuple[str, ...], fatal: int) -> int:
    number, real = itertools.count(1), Database.write

    @contextmanager
    def write(database: Database) -> Iterator[Transaction]:
        with real(database) as tx:
            yield tx
            if next(number) == fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    in_ones = partial(rewrapping.rewrap, size=1)
    with patch.object(Database, "write", write), patch.object(rewrapping, "rewrap", in_ones):
        return run("root", "rotate", *where).returncode
