"""What a section of a benchmark run is told, and what it tells.

A section is a module with `TITLE: str` and `measure(setup: Setup) -> Iterator[Row]`; `bench/sections.py` lists them. A row is
a flat dict of values that can be printed; its keys are the heads of the columns. Of three columns `x`, `x min` and `x max`
the printer makes one, and columns `of ...` are ratios.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

RESULTS = Path(__file__).parent / "results"

Value: TypeAlias = str | int | float | None
Row: TypeAlias = dict[str, Value]
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """A run: `directory` is empty and on the disk to measure, `seconds` is what one measurement takes after its warm-up.

    Servers, references among them, share the core `of_servers`, and whatever loads them has `of_load`.
    """

    directory: Path
    of_servers: frozenset[int]
    of_load: frozenset[int]
    seconds: float = 1.5
    repeats: int = 3
    connections: tuple[int, ...] = (1, 16, 64, 256, 512)

    @contextmanager
    def on_servers(self) -> Iterator[None]:
        """Within the block this thread, and what it starts, runs on the servers' core, and afterwards on that of the load."""
        os.sched_setaffinity(0, self.of_servers)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.of_load)

    def in_turns(self, work: Mapping[K, Callable[[], T]]) -> dict[K, list[T]]:
        """What each piece of work gave, `repeats` times; they take turns, so that a slow spell does not fall on one of them."""
        found: dict[K, list[T]] = {name: [] for name in work}
        for _ in range(self.repeats):
            for name, one in work.items():
                found[name].append(one())
        return found
