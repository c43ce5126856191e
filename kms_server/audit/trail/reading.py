"""The log as trails read it: rows by writer and number, none of them passed over."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from kms_server.audit.journal import Entry, Journal
from kms_server.audit.trail.selectors import Selectors
from kms_server.errors import OperatorError


class LogUnreadable(Exception):
    """Rows of the log that are to be delivered are not there, or cannot be read."""

    code = "AuditLogUnreadable"


class Chain(NamedTuple):
    """The rows of a writer, up to number `last`; `is_wanted` tells whether selectors may want any of them."""

    journal: Journal
    writer: str
    last: int
    is_wanted: bool

    def behind(self, seq: int) -> Generator[Entry, None, None]:
        """As `rows`, from number `seq` + 1 on."""
        return rows(self.journal, self.writer, seq + 1, self.last)


class Journals(NamedTuple):
    """The chains of management events, and those of data events."""

    management: Journal
    data: Journal

    def survey(self, selectors: Selectors) -> "Survey":
        """All writers, each as far as it has come by now."""
        chains: list[Chain] = []
        unreadable: list[str] = []
        wants = (selectors.wants_management, selectors.wants_data)
        for journal, is_wanted in zip(self, wants, strict=True):
            heads, damaged = journal.ends()
            chains += [Chain(journal, writer, head.seq, is_wanted) for writer, head in sorted(heads.items())]
            unreadable += damaged.values() if is_wanted else ()
        return Survey(chains, LogUnreadable("; ".join(unreadable)) if unreadable else None)

    def owners(self) -> Mapping[str, Journal]:
        """Which journal has each writer that can be read."""
        return {writer: journal for journal in self for writer in journal.heads()}


class Survey(NamedTuple):
    """The chains that can be read, and what is to be said of those that selectors want and that cannot."""

    chains: Sequence[Chain]
    damage: LogUnreadable | None


def rows(journal: Journal, writer: str, first: int, last: int) -> Generator[Entry, None, None]:
    """The rows of a writer from number `first` to number `last`; close it when it is left early.

    Raises:
        LogUnreadable: one is not there, or cannot be read.
    """
    expected = first
    try:
        with closing(journal.after(writer, first - 1, last)) as entries:
            for entry in entries:
                if entry.seq != expected:
                    break
                expected += 1
                yield entry
    except OperatorError as error:
        raise LogUnreadable(str(error)) from None
    if expected <= last:
        raise LogUnreadable(f"row {expected} of {writer} is not in the audit log")
