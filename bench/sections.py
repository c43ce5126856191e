"""The sections of `make bench`, in their order."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from bench import asymmetric, closed, databases, growth, isolation, open_rates, payloads, single, workers
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


SECTIONS = (
    Section("closed", closed, 6.5),
    Section("open", open_rates, 2.1),
    Section("single", single, 0.6),
    Section("payloads", payloads, 1.7),
    Section("workers", workers, 1.0),
    Section("databases", databases, 1.2),
    Section("asymmetric", asymmetric, 1.3),
    Section("growth", growth, 8.0),
    Section("isolation", isolation, 3.5),
)
