"""Writes checkpoints: every minute in which the log moved, and one an hour while it does not."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from kms_server.audit.checkpoint import (
    Checkpoint,
    Complete,
    Coverage,
    hash_of,
    signed_bytes,
    signed_bytes_of_complete,
)
from kms_server.audit.checkpoint_chain import CheckpointChain, folded
from kms_server.audit.journal import Journal
from kms_server.audit.signing import SigningKey, SigningKeys
from kms_server.clock import Clock
from kms_server.errors import OperatorError
from kms_server.storage import checkpoints
from kms_server.storage.audit_writers import START, Head
from kms_server.storage.checkpoints import KeptCheckpoint
from kms_server.storage.database import Database

INTERVAL = 60.0
HEARTBEAT = 3_600.0
_BASE_EVERY = 256  # how many are read to know all that is covered
_NOT_OURS = "the checkpoints of the audit log were changed: run `kms-server audit verify`"


class _Known(NamedTuple):
    """The newest checkpoint, and all that is covered with it."""

    newest: KeptCheckpoint
    coverage: Coverage


class Checkpoints:
    """The checkpoints of a server; any number of processes and hosts may write them.

    A process remembers the newest that it has seen. Where the database has forgotten that, the next one follows from
    it all the same, and the numbers between stay missing for everybody to see.
    """

    def __init__(self, database: Database, journals: Sequence[Journal], keys: SigningKeys) -> None:
        self._database = database
        self._journals = journals
        self._keys = keys
        self._remembered: _Known | None = None
        self._rolled_back = False
        self._unreadable: list[str] = []
        self._next_at = 0.0

    def warning(self) -> str | None:
        """What health should say."""
        if self._unreadable:
            return f"{min(self._unreadable)}; no checkpoint covers what is new in it"
        return _NOT_OURS if self._rolled_back else None

    def tend(self, clock: Clock) -> Iterator[None]:
        """The chore that writes what is due."""
        now = clock.now()
        if now >= self._next_at:
            # Before it is tried: what fails is tried, and told, once a minute.
            self._next_at = now + INTERVAL
            self.write(now)
            yield

    def write(self, now: float) -> Checkpoint | None:
        """Write a checkpoint of what has moved; None if nothing has, and the newest is younger than an hour.

        Raises:
            OperatorError: the newest checkpoint cannot be read.
            WrapError: the signing key does not open under the root key.
        """
        while True:
            with self._database.read() as connection:
                seen = self._known(connection)
            # After them: what they permit to go, and these heads still name, is not claimed again.
            heads = self._heads()
            made = self._next(seen, heads, now)
            if made is None:
                return None
            key = self._keys.current(now)
            with self._database.index() as connection:
                checkpoints.take_turns(connection)
                if self._known(connection) == seen:
                    added = _add(connection, seen, made, key)
                    break
        self._remembered = added
        return made

    def rebase(self, now: float, pruned: Mapping[str, Head], gone: Collection[str]) -> Checkpoint:
        """Sign what is about to be pruned, and forget older checkpoints. Comes before the rows are removed.

        `pruned` names the last rows to go, `gone` the writers of which nothing stays; of those that have no segment
        `pruned` names the last row, too, since they may yet go on.

        Raises:
            OperatorError: the checkpoints do not verify: what they prove must not be forgotten.
            WrapError: the signing key does not open under the root key.
        """
        while True:
            with self._database.read() as connection:
                # There may be many: writers wait only for those that are added meanwhile.
                last = _verified(CheckpointChain(self._keys), checkpoints.oldest_first(connection))
            heads, key = self._heads(), self._keys.current(now)
            with self._database.index() as connection:
                checkpoints.take_turns(connection)
                if checkpoints.newest(connection) == last:
                    known = self._known(connection)
                    if known is not None and known.newest != last:
                        raise OperatorError(_NOT_OURS)
                    made = _rebased(known, now, heads, pruned, gone)
                    added = _add(connection, known, made, key)
                    checkpoints.remove_before(connection, made.number)
                    break
        self._remembered = added
        return made

    def whole(self, now: float) -> bytes | None:
        """The complete checkpoint, signed, as JSON; None before the first checkpoint.

        Raises:
            OperatorError: a checkpoint cannot be read.
            WrapError: the signing key does not open under the root key.
        """
        with self._database.read() as connection:
            known = self._known(connection)
        if known is None:
            return None
        key = self._keys.current(now)
        body = Complete(known.newest.number, hash_of(known.newest), now, known.coverage).encode()
        signature = key.sign(signed_bytes_of_complete(body)).hex()
        document = {"body": body, "fingerprint": key.public.fingerprint, "signature": signature}
        return json.dumps(document).encode()

    def _heads(self) -> dict[str, Head]:
        """Where all chains end; of those that cannot be read, what is covered stays so."""
        found = [journal.ends() for journal in self._journals]
        self._unreadable = [problem for one in found for problem in one.unreadable.values()]
        return {writer: head for one in found for writer, head in one.heads.items()}

    def _next(self, known: _Known | None, heads: Mapping[str, Head], now: float) -> Checkpoint | None:
        if known is None:
            return _following(None, now, base=True, coverage=Coverage(heads, since=now))
        before = known.coverage
        moved = before.moved(heads)
        if not moved and now - known.newest.time < HEARTBEAT:
            return None
        if (known.newest.number + 1) % _BASE_EVERY == 0:
            covered = {**before.heads, **moved}
            coverage = Coverage(covered, _still(before.pruned, {**heads, **covered}), before.since)
            return _following(known, now, base=True, coverage=coverage)
        return _following(known, now, base=False, coverage=replace(before, heads=moved, pruned={}))

    def _known(self, connection: Connection) -> _Known | None:
        mine, newest = self._remembered, checkpoints.newest(connection)
        if mine is not None and newest == mine.newest:
            return mine
        if mine is not None and (newest is None or newest.number <= mine.newest.number):
            self._rolled_back = True
            return mine
        if newest is None:
            return None
        try:
            self._remembered = _Known(newest, folded(checkpoints.newest_first(connection)))
        except ValueError:
            raise OperatorError(_NOT_OURS) from None
        return self._remembered


def _verified(chain: CheckpointChain, kept: Iterable[KeptCheckpoint]) -> KeptCheckpoint | None:
    """The newest of checkpoints that verify, if there are any.

    Raises:
        OperatorError: one does not verify.
    """
    last = None
    for step in chain.walk(kept):
        if step.problems:
            raise OperatorError(_NOT_OURS)
        last = step.kept
    return last


def _rebased(
    known: _Known | None, now: float, heads: Mapping[str, Head], pruned: Mapping[str, Head], gone: Collection[str]
) -> Checkpoint:  # fmt: skip
    before = known.coverage if known else Coverage(since=now)
    ends = {writer: heads[writer] for writer in gone if writer in heads}
    farther = {**before.pruned, **_farther({**ends, **pruned}, before.pruned)}
    covered = {
        writer: head for writer, head in {**before.heads, **before.moved(heads)}.items() if writer not in gone
    }
    coverage = Coverage(covered, _still(farther, {**heads, **covered}), before.since)
    return _following(known, now, base=True, gone=tuple(sorted(gone)), coverage=coverage)


def _following(
    known: _Known | None, now: float, *, base: bool, coverage: Coverage, gone: tuple[str, ...] = ()
) -> Checkpoint:
    if known is None:
        return Checkpoint(1, now, None, base, coverage, gone)
    newest = known.newest
    return Checkpoint(newest.number + 1, max(now, newest.time), hash_of(newest), base, coverage, gone)


def _add(connection: Connection, known: _Known | None, made: Checkpoint, key: SigningKey) -> _Known:
    body = made.encode()
    kept = KeptCheckpoint(made.number, made.time, body, key.public.fingerprint, key.sign(signed_bytes(body)))
    checkpoints.add(connection, kept)
    return _Known(kept, made.added_to(known.coverage if known else Coverage()))


def _farther(new: Mapping[str, Head], old: Mapping[str, Head]) -> dict[str, Head]:
    return {writer: head for writer, head in new.items() if head.seq > old.get(writer, START).seq}


def _still(pruned: Mapping[str, Head], there: Collection[str]) -> dict[str, Head]:
    """What is to be said of writers that are there, and not of those that have gone."""
    return {writer: head for writer, head in pruned.items() if writer in there}
