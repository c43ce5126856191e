"""Following the log: what was added to any chain since a place in each of them."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple

from kms_server.audit.journal import Journal
from kms_server.audit.record import Row
from kms_server.errors import OperatorError


class News(NamedTuple):
    """Rows in the order of their event ids, and where their reader stands in each chain once it has taken them."""

    rows: Sequence[Row]
    positions: Mapping[str, int]


class Follower:
    """Reads several journals in order of their chains, from `positions` on: of each writer the newest row already taken.

    A chain that is not among them is read from its beginning. One that cannot be read keeps nobody from the others:
    `problem` tells of it, until it can be.
    """

    def __init__(self, journals: Iterable[Journal], positions: Mapping[str, int]) -> None:
        self._journals = tuple(journals)
        self._positions = dict(positions)
        self.problem: str | None = None

    def news(self, most: int) -> News:
        """Up to `most` rows that nobody has taken; they come again until `take` was told of them."""
        self.problem = None
        rows: list[Row] = []
        reached: dict[str, int] = {}
        for journal, writer, last in self._ahead():
            try:
                # A generator, and so a cursor, that ends before its rows do must be closed.
                with closing(journal.after(writer, self._positions.get(writer, 0), last)) as entries:
                    for entry in islice(entries, most - len(rows)):
                        rows.append(entry.row)
                        reached[writer] = entry.seq
            except OperatorError as error:
                self.problem = str(error)
            if len(rows) >= most:
                break
        return News(sorted(rows, key=lambda row: row.event_id), reached)

    def take(self, news: News) -> None:
        """Go on behind what was read."""
        self._positions |= news.positions

    def behind(self) -> int:
        """How many rows there are that nobody has taken, where they can be read."""
        return sum(last - self._positions.get(writer, 0) for _, writer, last in self._ahead())

    def _ahead(self) -> list[tuple[Journal, str, int]]:
        """The chains that have rows behind the positions, and the number of the last of them."""
        ends = [(journal, journal.ends()) for journal in self._journals]
        for problem in (one for _, end in ends for one in end.unreadable.values()):
            self.problem = problem
        return [
            (journal, writer, head.seq)
            for journal, end in ends
            for writer, head in end.heads.items()
            if head.seq > self._positions.get(writer, 0)
        ]


def heads(journals: Iterable[Journal]) -> dict[str, int]:
    """Where all chains end now, as positions."""
    return {writer: head.seq for journal in journals for writer, head in journal.heads().items()}
