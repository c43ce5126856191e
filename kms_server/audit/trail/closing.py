"""The chains of digests, one for each trail and Region: when a digest is due, and what it continues.

A digest begins where the one before it ends, whether or not that is delivered yet, and one covers any gap. Behind a final
one, and where validation was turned on late, a chain begins anew.
"""

from dataclasses import dataclass, field
from math import ceil, inf

from sqlalchemy import Connection

from kms_server.audit.signing import SigningKey, SigningKeys
from kms_server.audit.trail.digests import digest
from kms_server.audit.trail.planning import ended_at
from kms_server.crypto.wrap import WrapError
from kms_server.storage import audit_positions, trail_digests, trail_files, trails
from kms_server.storage.database import Database, Transaction
from kms_server.storage.trail_digests import TrailDigest
from kms_server.storage.trails import Trail

HOUR = 3_600.0


class SigningKeyUnusable(Exception):
    """No digest can be signed."""

    code = "SigningKeyUnusable"


@dataclass(frozen=True, slots=True)
class Closer:
    """Makes digests; times are epoch seconds of the service's clock."""

    database: Database
    keys: SigningKeys

    def close(self, trail: Trail, now: float, *, at_once: bool) -> None:
        """Make the digests of a trail that are due: an hour after those before, or `at_once`; and final ones.

        Raises:
            SigningKeyUnusable
        """
        with self.database.read() as connection:
            due = [chain for chain in _chains(connection, trail) if chain.is_due(now, at_once=at_once)]
        for chain in due:
            # Made outside the transaction, and valid when the window ends.
            key = self._key(chain.end(now))
            with self.database.write() as tx:
                current = trails.get(tx.connection, trail.trail_id)
                # Others may have been faster.
                if current is not None and _Chain.of(tx.connection, current, chain.region) == chain:
                    _add(tx, current, chain, now, key)

    def _key(self, moment: float) -> SigningKey:
        try:
            return self.keys.current(moment)
        except WrapError:
            raise SigningKeyUnusable("the signing key does not open under the root key") from None

    def next_due(self, trail: Trail) -> float:
        """When the next digest of a trail is due; infinity where none will be."""
        with self.database.read() as connection:
            chains = _chains(connection, trail)
        return min((chain.begin for chain in chains if chain.is_wanted), default=inf) + HOUR


@dataclass(frozen=True, slots=True)
class _Chain:
    """Where a chain of digests stands.

    `open` is the digest to continue. `is_over` tells that there will be no more, `is_wanted` that there must be one more
    or ever more of them.
    """

    region: str
    open: TrailDigest | None = field(compare=False)  # it may be delivered at any time
    begin: float
    is_over: bool
    is_wanted: bool

    @classmethod
    def of(cls, connection: Connection, trail: Trail, region: str) -> "_Chain":
        last = trail_digests.last(connection, trail.trail_id, region)
        opened = last if last and not last.final else None
        has_ended = ended_at(trail) is not None
        goes_on = trail.validation and not has_ended and (trail.multi_region or region == trail.region)
        left = opened is not None or bool(trail_files.unlisted(connection, trail.trail_id, region))
        listed = trail_files.listed_until(connection, trail.trail_id, region)
        begin = (
            opened.ends_at if opened else _second(trail.started_at, last.ends_at if last else None, listed)
        )
        wanted = goes_on or (left and not (has_ended and _has_more(connection, trail)))
        return cls(region, opened, begin, not goes_on, wanted)

    def is_due(self, now: float, *, at_once: bool) -> bool:
        return self.is_wanted and (self.is_over or at_once or now >= self.begin + HOUR)

    def end(self, now: float) -> float:
        """Digests tell time in seconds, and none is empty: it may end up to a second ahead."""
        return max(float(int(now)), self.begin + 1)


def _add(tx: Transaction, trail: Trail, chain: _Chain, now: float, key: SigningKey) -> None:
    files = trail_files.unlisted(tx.connection, trail.trail_id, chain.region)
    window = chain.begin, chain.end(now)
    made = digest(trail, chain.region, window, files, chain.open, key, final=chain.is_over)
    trail_digests.add(tx, made)
    trail_files.enlist(tx, trail.trail_id, chain.region, made.ends_at)


def _chains(connection: Connection, trail: Trail) -> list[_Chain]:
    """The chains of a trail: of its home, and of every Region of which there is anything."""
    begun = trail_digests.regions(connection, trail.trail_id) | trail_files.regions(
        connection, trail.trail_id
    )
    return [_Chain.of(connection, trail, region) for region in sorted({trail.region} | begun)]


def _has_more(connection: Connection, trail: Trail) -> bool:
    """Whether files are still to come: a final digest lists all of them."""
    positions = audit_positions.get(connection, trail.trail_id)
    return bool(positions or trail_files.pending(connection, trail.trail_id))


def _second(*moments: float | None) -> float:
    """The latest of some times, in whole seconds."""
    return float(ceil(max(moment or 0.0 for moment in moments)))
