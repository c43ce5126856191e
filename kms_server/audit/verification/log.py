"""Verifies the log in the database and its segments: checkpoints first, then every chain."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from kms_server.audit import event_id
from kms_server.audit.chain import ChainKey
from kms_server.audit.checkpoint import Coverage
from kms_server.audit.journal import Entry
from kms_server.audit.signing import SigningKeys
from kms_server.audit.verification import checkpoints
from kms_server.audit.verification.chains import ChainCheck, Claims, place
from kms_server.audit.verification.checkpoints import Said
from kms_server.audit.verification.duplicates import Duplicates
from kms_server.audit.verification.findings import Finding, Findings, error, notice
from kms_server.audit.verification.places import Chain, Place, Survey, Unreadable
from kms_server.clock import iso_seconds
from kms_server.storage.audit_writers import START
from kms_server.storage.database import Database

_TIMELY = 300.0  # a server that runs writes a checkpoint every minute
_ATTEMPTS = 3
_TOLD_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Tally:
    """How much was looked at; `newest` is the time of the newest checkpoint, in epoch seconds."""

    chains: int
    rows: int
    unchained: int
    checkpoints: int
    newest: float | None


class LogVerification:
    """One look at the whole log, beside servers that write, seal and prune.

    Checkpoints are read first: what they name is there for certain when the chains are looked at afterwards. Rows are
    verified up to where the chains end then. What is found is looked at again if something was pruned meanwhile.
    """

    def __init__(
        self, database: Database, chain_key: ChainKey, keys: SigningKeys, places: Sequence[Place]
    ) -> None:
        self._database = database
        self._chain_key = chain_key
        self._keys = keys
        self._places = places
        self._delivered: Mapping[str, Claims] = {}
        self._said = Said()
        self._surveys: dict[Place, Survey] = {}

    def begin(self, delivered: Mapping[str, Claims]) -> int:
        """Read the checkpoints and see what is there; `delivered` are heads that delivered checkpoints name.

        The number of rows that there are to verify.
        """
        self._delivered = delivered
        self._said = checkpoints.read(self._database, self._keys)
        self._surveys = {one: one.survey() for one in self._places}
        return sum(chain.rows for chain in self._chains())

    def tally(self) -> Tally:
        """How much there is."""
        chains = self._chains()
        unchained = sum(survey.unchained for survey in self._surveys.values())
        return Tally(
            len(chains),
            sum(chain.rows for chain in chains),
            unchained,
            self._said.count,
            self._said.newest_time,
        )

    def run(self, now: float, advance: Callable[[int], object]) -> Findings:
        """What is wrong; `advance` is told of rows as they are done."""
        yield from self._said.findings
        with Duplicates() as duplicates:
            for where, survey in self._surveys.items():
                yield from survey.findings
                yield from where.lookups()
                for chain in survey.chains.values():
                    yield from self._settled(where, chain, partial(self._check, duplicates.add, advance))
            for repeated in duplicates.found():
                yield error(f"event {repeated}", "it stands in the log more than once")
        yield from self._missing()
        yield from self._posing()
        yield from self._uncovered(now)

    def _chains(self) -> list[Chain]:
        return [chain for survey in self._surveys.values() for chain in survey.chains.values()]

    def _settled(
        self, where: Place, chain: Chain, check: Callable[[Chain, Said], list[Finding]]
    ) -> list[Finding]:
        said, found = self._said, check(chain, self._said)
        for _ in range(_ATTEMPTS):
            if not found:
                break
            now_said, again = (
                checkpoints.read(self._database, self._keys),
                where.survey().chains.get(chain.writer),
            )
            if again is None and chain.writer not in now_said.coverage.heads:
                return []
            if again is None or (again.pruned, now_said.coverage.pruned) == (
                chain.pruned,
                said.coverage.pruned,
            ):
                break
            said, chain = now_said, again
            found = self._check(_ignore, _ignore, chain, said)
        return found

    def _check(
        self, seen: Callable[[str], object], advance: Callable[[int], object], chain: Chain, said: Said
    ) -> list[Finding]:
        writer, signed = chain.writer, said.coverage.pruned.get(chain.writer, START)
        claims = {**self._delivered.get(writer, {}), **said.claims.get(writer, {})}
        found = []
        if chain.pruned.seq > signed.seq or (
            chain.pruned.seq == signed.seq and chain.pruned.link != signed.link
        ):
            found.append(
                error(
                    place(writer, 1, chain.pruned.seq),
                    "they are said to be pruned, and no checkpoint says so",
                )
            )
        walk = ChainCheck(self._chain_key, writer, chain.is_data, chain.pruned, claims, seen)
        try:
            return found + walk.run(_told(chain.entries(), advance), chain.head)
        except Unreadable as problem:
            return [*found, error(place(writer), str(problem))]

    def _missing(self) -> Findings:
        """Writers that checkpoints know, and of which nothing is left."""
        missing = self._said.coverage.heads.keys() - {chain.writer for chain in self._chains()}
        if missing:
            # Some may have been pruned since the checkpoints were read.
            missing &= checkpoints.read(self._database, self._keys).coverage.heads.keys()
        for writer in sorted(missing):
            newest = max(self._said.claims[writer])
            yield error(
                place(writer, 1, newest.seq),
                f"the whole writer is missing: {self._said.claims[writer][newest]} names it",
            )

    def _posing(self) -> Findings:
        """Rows of no chain that are dated after chains began."""
        since = self._said.coverage.since
        for survey in self._surveys.values():
            newest = survey.newest_unchained
            if newest is not None and self._said.count and _time_of(newest) > since:
                yield error(
                    f"event {newest}",
                    f"it is in no chain, and dated after the first checkpoint ({iso_seconds(since)})",
                )

    def _uncovered(self, now: float) -> Findings:
        said = self._said
        heads = {chain.writer: chain.head for chain in self._chains() if chain.head is not None}
        if said.newest_time is None:
            if any(now - _begun(chain) > _TIMELY for chain in self._chains()):
                yield error(
                    "checkpoints", "there are none: nothing tells whether the newest rows were removed",
                    "a server that runs writes one within a minute; if one has run before, they were removed",
                )  # fmt: skip
        elif now - said.newest_time > _TIMELY and Coverage(said.coverage.heads).moved(heads):
            yield notice(
                "checkpoints", f"the newest is of {iso_seconds(said.newest_time)}, and newer rows are covered by none",
                "start the server; if one was running all the time, the newest checkpoints were removed",
            )  # fmt: skip


def _told(entries: Iterator[Entry], advance: Callable[[int], object]) -> Iterator[Entry]:
    """The same entries; what has passed is told now and then."""
    passed = 0
    for entry in entries:
        yield entry
        passed += 1
        if passed % _TOLD_EVERY == 0:
            advance(_TOLD_EVERY)
    advance(passed % _TOLD_EVERY)


def _ignore(_: object) -> None:
    """For what was counted before."""


def _begun(chain: Chain) -> float:
    """When the oldest row of a chain was written, as far as that can be read."""
    try:
        first = next(chain.entries(), None)
    except Unreadable:
        return 0.0
    return _time_of(first.row.event_id) if first else 0.0


def _time_of(identifier: str) -> float:
    """When an event was; an id that is none of ours is of no time that can be right."""
    try:
        return event_id.time_of(identifier)
    except ValueError:
        return float("inf")
