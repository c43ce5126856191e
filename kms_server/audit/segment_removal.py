"""Removing segments whole, and what a crash has left of such a removal.

The database goes first: from then on nobody finds the segment, and whoever has it open reads on. The mark that it is
full goes next, before what says that it is sealed, so that nobody seals what is not there. The lock goes last.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kms_server.audit.segments import lock

_STEM = re.compile(r"[0-9a-f]{16}")


def segment_sizes(directory: Path) -> dict[str, int]:
    """The bytes of all files of each segment, and of the remains of any, by the name without a suffix."""
    sizes: dict[str, int] = {}
    with os.scandir(directory) as files:
        for file in files:
            stem = file.name.partition(".")[0]
            if _STEM.fullmatch(stem):
                sizes[stem] = sizes.get(stem, 0) + _size(file)
    return sizes


def remove(path: Path) -> bool:
    """Remove a sealed segment; False: another process is at it, or has done it."""
    with _owned(path) as owned:
        was_there = owned and path.exists()
        if owned:
            path.unlink(missing_ok=True)
            _clear(path)
    return was_there


def clear_remains(directory: Path) -> None:
    """Remove files of segments that have no database any more."""
    for stem in segment_sizes(directory):
        path = directory / f"{stem}.db"
        if not path.exists():
            with _owned(path) as owned:
                # A segment that is made this moment has its database before its lock.
                if owned and not path.exists():
                    _clear(path)


def _clear(path: Path) -> None:
    beside = sorted(
        path.parent.glob(f"{path.stem}.*"), key=lambda one: (one.suffix == ".lock", one.suffix != ".full")
    )
    for one in beside:
        one.unlink(missing_ok=True)


@contextmanager
def _owned(path: Path) -> Iterator[bool]:
    descriptor = lock(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _size(file: "os.DirEntry[str]") -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # pruned meanwhile
        return 0
