"""Recomputes one chain from its rows, and holds it against the heads that checkpoints have named."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from kms_server.audit.chain import ChainKey
from kms_server.audit.journal import Entry
from kms_server.audit.verification.columns import differing
from kms_server.audit.verification.findings import Finding, Findings, error, notice
from kms_server.storage.audit_writers import Head

# No batch has more rows; without a bound, a chain without links would be held in memory.
_MOST_IN_BATCH = 4_096
_MOST_TOLD = 20

# The heads that somebody has signed, and who names them.
Claims: TypeAlias = Mapping[Head, str]


@dataclass(slots=True)
class ChainCheck:
    """A walk along a chain, behind `start`; `seen` gets the id of each event."""

    key: ChainKey
    writer: str
    is_data: bool
    start: Head
    claims: Claims
    seen: Callable[[str], object]
    _at: Head = field(init=False)
    _next: int = field(init=False)
    _batch: list[str] = field(init=False, default_factory=list)
    _broken: bool = field(init=False, default=False)
    _awaited: deque[Head] = field(init=False)

    def run(self, entries: Iterable[Entry], head: Head | None) -> list[Finding]:
        """What is wrong with the chain; `head` is where it is said to end, if anything says so."""
        self._at, self._next = self.start, self.start.seq + 1
        self._awaited = deque(sorted(claim for claim in self.claims if claim.seq >= self.start.seq))
        found: list[Finding] = []
        untold = 0
        for finding in self._walk(entries, head):
            if len(found) < _MOST_TOLD:
                found.append(finding)
            else:
                untold += 1
        return (
            [*found, notice(self._where(), f"{untold} more findings about this chain")] if untold else found
        )

    def _walk(self, entries: Iterable[Entry], head: Head | None) -> Findings:
        yield from self._held_against_claims()
        for entry in entries:
            if entry.seq != self._next:
                yield from self._gap(entry.seq)
            self._next = entry.seq + 1
            self.seen(entry.row.event_id)
            wrong = differing(entry.row, is_data=self.is_data)
            if wrong:
                yield error(
                    self._where(entry.seq), f"columns do not agree with the record: {', '.join(wrong)}"
                )
            self._batch.append(entry.row.record)
            if entry.link is not None:
                yield from self._linked(Head(entry.seq, entry.link))
            elif len(self._batch) > _MOST_IN_BATCH:
                self._batch.clear()
                self._broken = True
        yield from self._ended(head)

    def _gap(self, seq: int) -> Findings:
        self._broken = True
        if seq > self._next:
            yield error(self._where(self._next, seq - 1), "rows are missing")
        else:
            yield error(self._where(seq), "a row stands out of its order")

    def _linked(self, end: Head) -> Findings:
        first = self._at.seq + 1
        if self._broken or not self.key.is_link(
            end.link, self.writer, first, end.seq, self._at.link, self._batch
        ):
            yield error(self._where(first, end.seq), "the link of these rows is not that of their records")
        # Whether or not it is right: what follows is held against what was stored.
        self._at, self._broken = end, False
        self._batch.clear()
        yield from self._held_against_claims()

    def _held_against_claims(self) -> Findings:
        while self._awaited and self._awaited[0].seq <= self._at.seq:
            claim = self._awaited.popleft()
            if claim != self._at:
                said_by = self.claims[claim]
                yield error(
                    self._where(claim.seq), f"the chain was written anew: {said_by} names another link here"
                )

    def _ended(self, head: Head | None) -> Findings:
        last = self._next - 1
        if last > self._at.seq:
            yield error(
                self._where(self._at.seq + 1, last),
                "the last rows have no link: it, or rows behind them, are missing",
            )
        if head is not None and head.seq > last:
            yield error(self._where(last + 1, head.seq), "the newest rows are missing")
        elif head is not None and head != self._at:
            yield error(self._where(head.seq), "the chain's head has another link than the newest row")
        if self._awaited and self._awaited[-1].seq > max(last, head.seq if head else 0):
            newest = self._awaited[-1]
            yield error(
                self._where(last + 1, newest.seq),
                f"the newest rows are missing: {self.claims[newest]} names them",
            )

    def _where(self, first: int | None = None, last: int | None = None) -> str:
        return place(self.writer, first, last)


def place(writer: str, first: int | None = None, last: int | None = None) -> str:
    """How findings name a chain, or rows of it."""
    if first is None:
        return f"writer {writer}"
    return (
        f"writer {writer}, row {first}"
        if last in (None, first)
        else f"writer {writer}, rows {first} to {last}"
    )
