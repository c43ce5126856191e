"""Walks the digests of a trail as they were delivered, and holds them against those that were made."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kms_server.audit.restores import Restore
from kms_server.audit.signing import SigningKeys
from kms_server.audit.trail.destination import NoSuchFile
from kms_server.audit.verification.delivered_files import Buckets, Damaged, Name, Place, is_lost, path
from kms_server.audit.verification.digest import Digest, read
from kms_server.audit.verification.findings import Finding, Findings, error, notice
from kms_server.storage.trail_digests import TrailDigest

KIND = "CloudTrail-Digest"
FORGOTTEN = "it was delivered before a restore, from a backup that does not know it yet"
_RETENTION = "unless the bucket's owner has it expire, find out who can delete from the bucket"
_TIME = r"(\d{8}T\d{6}Z)"


class _Before(NamedTuple):
    """The digest before another, as far as it is known; `made` is None where the database knows nothing of it."""

    place: Place
    hash: str | None
    signature: str | None
    ends_at: float | None
    made: TrailDigest | None


class DigestWalk:
    """One walk over all Regions of a trail; `made` gives the digests that the database knows now.

    `digests` are those that are rightly signed, for whoever checks the log files that they list; `unread` are Region and
    end of those that were made and cannot be read. Those that one of `restores` made the database forget are passed over.
    """

    def __init__(
        self, buckets: Buckets, keys: SigningKeys, made: Callable[[], Sequence[TrailDigest]],
        restores: Sequence[Restore] = (),
    ) -> None:  # fmt: skip
        self._restores = restores
        self._buckets = buckets
        self._keys = keys
        self._made = made
        self.digests: list[Digest] = []
        self.unread: set[tuple[str, float]] = set()

    def run(self) -> Findings:
        """What is wrong with the digests.

        Raises:
            DestinationError: the bucket does not give what it is asked for.
        """
        trail, made = self._buckets.trail, self._made()
        names, _ = self._buckets.names(KIND, f"{re.escape(trail.name)}_{trail.region}_{_TIME}")
        for region in sorted({name.region for name in names} | {one.region for one in made}):
            yield from self._region(
                {name.place: name for name in names if name.region == region},
                {(one.bucket, one.object_key): one for one in made if one.region == region},
            )

    def others(self) -> Iterator[Digest]:
        """The digests that other trails have delivered to the same place, as far as they are rightly signed."""
        mine = {digest.name for digest in self.digests}
        names, _ = self._buckets.names(KIND, rf".+_[a-z0-9-]+_{_TIME}")
        for name in names:
            if name not in mine:
                found = self._read(name)
                if isinstance(found, Digest):
                    yield found

    def strangers(self) -> Findings:
        """What lies among the digests and has no digest's name."""
        _, others = self._buckets.names(KIND, rf".+_[a-z0-9-]+_{_TIME}")
        for one in others:
            yield error(one, "it is among the digests, and has not the name of one: it was added")

    def _region(self, names: dict[Place, Name], made: dict[Place, TrailDigest]) -> Findings:
        before: _Before | None = None
        begins = next(iter(made.values())).starts_at if made else self._buckets.trail.created_at
        for place in sorted({*names, *made}, key=_time_of):
            row = made.get(place)
            if row is None and is_lost(self._restores, names[place]):
                yield notice(path(place), FORGOTTEN)
                continue
            found = self._read(names[place]) if place in names else None
            if isinstance(found, Digest):
                self.digests.append(found)
                yield from self._as_made(found, row, begins)
                yield from _follows(found, before, is_first=row is not None and row.starts_at == begins)
                before = _Before(place, found.hash, found.signature, found.ends_at, row)
                continue
            if row is not None:
                self.unread.add((row.region, row.ends_at))
            if found is not None:
                yield found
            elif row is not None:
                yield _absent(row)
            before = (
                _Before(place, row.hash, row.signature, None, row)
                if row
                else _Before(place, None, None, None, None)
            )

    def _read(self, name: Name) -> Digest | Finding | None:
        """The digest of a name, or what is wrong with it; None: it is not there."""
        try:
            return read(name, self._buckets.get(name.place), self._keys.find)
        except NoSuchFile:
            return None
        except Damaged as problem:
            return error(path(name.place), str(problem))

    def _as_made(self, digest: Digest, row: TrailDigest | None, begins: float) -> Findings:
        where = path(digest.name.place)
        if row is None:
            # It may have been made since the database was asked, or belong to an earlier trail of that name.
            row = next(
                (one for one in self._made() if (one.bucket, one.object_key) == digest.name.place), None
            )
        if row is None:
            if digest.ends_at > begins:
                yield error(where, "this server knows of no such digest: it was added")
        elif row.hash != digest.hash or row.signature != digest.signature:
            yield error(where, "it is another digest than the one that was made: it was signed anew")


def _follows(digest: Digest, before: _Before | None, *, is_first: bool) -> Findings:
    where, said = path(digest.name.place), digest.previous
    if said is None:
        was_final = before is None or (before.made.final if before.made else is_first)
        if not was_final:
            yield error(where, "a new chain begins with it, and logging was not stopped before")
    elif before is None:
        yield error(f"{said.bucket}/{said.key}", f"the digest is missing, and {where} names it", _RETENTION)
    elif before.place != (said.bucket, said.key):
        yield error(
            where, f"it follows {said.bucket}/{said.key}, and the digest before it is {path(before.place)}"
        )
    else:
        if before.hash not in (None, said.hash) or before.signature not in (None, said.signature):
            yield error(
                path(before.place),
                f"it is another digest than the one that {where} follows: it was signed anew",
            )
        if before.ends_at not in (None, digest.starts_at):
            yield error(
                where, "it does not begin where the one before it ends: time is missing or counted twice"
            )


def _absent(row: TrailDigest) -> Finding:
    where = f"{row.bucket}/{row.object_key}"
    if row.delivered_at is None:
        return notice(where, "the digest is not delivered yet")
    return error(where, "the digest was delivered, and is missing", _RETENTION)


def _time_of(place: Place) -> tuple[str, Place]:
    """By the time in a digest's name, wherever it was delivered to."""
    return (place[1].rpartition("_")[2], place)
