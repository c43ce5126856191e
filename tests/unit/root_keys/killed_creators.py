"""Creates a root key in directories 0, 1, 2 … below the argument, killed one line later in each, until one is done."""

import itertools
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from kms_server.root_keys import file, key_file


def killed_before(line: int) -> Any:
    """A trace function that kills this process before it runs that line of the module."""
    lines = itertools.count()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != key_file.__file__:
            return None
        if event == "line" and next(lines) == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def main(below: Path) -> None:
    for line in itertools.count():
        directory = below / str(line)
        directory.mkdir()
        child = os.fork()
        if child == 0:
            sys.settrace(killed_before(line))
            file.FileRootKey.create(directory / "root.key")
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
