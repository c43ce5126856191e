"""Each decision of a limit as a line of JSON, for tests of limits."""

import os
from collections.abc import Sequence
from pathlib import Path

import orjson

from kms_server.errors import OperatorError


class DecisionLog:
    """A file that all workers append to, whole lines at a time."""

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperatorError(f"cannot write the limit log {path}: {error.strerror}") from None

    def write(self, at: int, limits: Sequence[str], *, passed: bool) -> None:
        """Note a call: `at` is when its tokens were taken, or were missing, in nanoseconds of whoever counts them."""
        line = {"time_us": at / 1_000, "passed": passed, "limits": limits}
        os.write(self._descriptor, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
