"""The sections of `make bench`, in their order."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from bench import closed
from bench.setup import Row, Setup


class Measures(Protocol):
    """A module of this package that is a section."""

    TITLE: str

    def measure(self, setup: Setup) -> Iterator[Row]:
        """Measure, and give the rows of a table."""


class Section(NamedTuple):
    """A section by its name on the command line, with the minutes it takes by default."""

    name: str
    module: Measures
    minutes: float


SECTIONS = (Section("closed", closed, 7.0),)
