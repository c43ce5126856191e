"""A time of day that a test moves, for processes that are started with it."""

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("false_clock.c")


@dataclass(frozen=True)
class FalseClock:
    """The file that says how far ahead the clock is, and the environment of processes that go by it."""

    path: Path
    environment: dict[str, str]

    def jump(self, seconds: float) -> None:
        """Let the time of day be ahead by so much, or behind."""
        with self.path.open("r+b") as file:
            file.write(struct.pack("<d", seconds))


def false_clock(directory: Path, ahead: float = 0.0) -> FalseClock:
    """A clock that is `ahead` by some seconds; the test is skipped where there is no C compiler to make one."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to make a clock that can be moved")
    library, path = directory / "false_clock.so", directory / "ahead"
    subprocess.run([compiler, "-shared", "-fPIC", "-O", "-o", library, _SOURCE, "-ldl", "-lm"], check=True)
    path.write_bytes(struct.pack("<d", ahead))
    return FalseClock(path, {"LD_PRELOAD": str(library), "FALSE_CLOCK": str(path)})
