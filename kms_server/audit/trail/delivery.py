"""The delivery of one trail: plan, write, confirm; close digests, write, confirm.

Each may be left between any two steps, also by a crash, and be done by several processes at the same time: what a file
holds and what it is called commit before it is written, so whoever writes it writes the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kms_server.audit.checkpoint_delivery import delivered
from kms_server.audit.checkpoints import Checkpoints
from kms_server.audit.trail.closing import Closer, SigningKeyUnusable
from kms_server.audit.trail.destination import Destination, DestinationError
from kms_server.audit.trail.digests import metadata
from kms_server.audit.trail.files import LogContent, build, packed
from kms_server.audit.trail.planning import Planner
from kms_server.audit.trail.reading import Journals, LogUnreadable
from kms_server.clock import DAY
from kms_server.crypto.wrap import WrapError
from kms_server.errors import OperatorError
from kms_server.storage import audit_positions, trail_digests, trail_files, trails
from kms_server.storage.database import Database
from kms_server.storage.trail_digests import TrailDigest
from kms_server.storage.trail_files import TrailFile
from kms_server.storage.trails import Trail

# Why a delivery may fail; each has a `code`, which the trail's status shows.
PROBLEMS = (DestinationError, LogUnreadable, SigningKeyUnusable)
# The destination of a trail, for one of its buckets: that may have been changed since a file was planned.
Destinations = Callable[[Trail, str], Destination]
_PATIENCE = 30 * DAY


class Written(NamedTuple):
    """What was delivered."""

    trail: Trail
    kind: str
    place: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivers; `now` is the service's clock."""

    database: Database
    journals: Journals
    planner: Planner
    closer: Closer
    destinations: Destinations
    checkpoints: Checkpoints
    now: Callable[[], float]

    def attend(self, trail: Trail, *, digest_at_once: bool = False) -> Iterator[Written | None]:
        """Do what there is to do for a trail, in steps; `digest_at_once` does not wait for the hour.

        Raises:
            DestinationError, LogUnreadable, SigningKeyUnusable: noted with the trail; to be tried again.
        """
        problem: DestinationError | LogUnreadable | SigningKeyUnusable | None = None
        for work in (self.planner.plan, self._write_files):
            try:
                yield from work(trail)
            except PROBLEMS as error:
                problem = error
        if problem is not None:
            self._note(trail, delivery_error=problem.code, attempted_at=self.now())
        try:
            # Digests are closed in time also where they cannot be delivered.
            self.closer.close(trail, self.now(), at_once=digest_at_once)
            if not isinstance(problem, DestinationError):
                yield from self._write_digests(trail)
        except PROBLEMS as error:
            self._note(trail, digest_error=error.code, digest_attempted_at=self.now())
            problem = problem or error
        self._remove_if_done(trail)
        if problem is not None:
            raise problem
        if trail.delivery_error or trail.digest_error:
            self._note(trail, delivery_error=None, digest_error=None)

    def _write_files(self, trail: Trail) -> Iterator[Written]:
        with self.database.read() as connection:
            pending = trail_files.pending(connection, trail.trail_id)
        broken: LogUnreadable | None = None
        for file in pending:
            try:
                content = build(self.journals, trail, file)
            except LogUnreadable as error:
                broken = error  # those behind it can be delivered
                continue
            self.destinations(trail, file.bucket).put(file.object_key, content.body, {})
            self._confirm(file, content)
            yield Written(trail, "log file", f"{file.bucket}/{file.object_key}")
        if broken is not None:
            raise broken

    def _confirm(self, file: TrailFile, content: LogContent) -> None:
        now = self.now()
        with self.database.write() as tx:
            current = trails.get(tx.connection, file.trail_id)
            trail_files.deliver(
                tx, file.file_id, delivered_at=now, hash=content.hash, oldest_event=content.oldest,
                newest_event=content.newest, digest_end=None if current and current.validation else now,
            )  # fmt: skip
            trails.change(tx, file.trail_id, attempted_at=now, delivered_at=now, delivery_error=None)

    def _write_digests(self, trail: Trail) -> Iterator[Written]:
        with self.database.read() as connection:
            pending = trail_digests.pending(connection, trail.trail_id)
        for digest in pending:
            destination = self.destinations(trail, digest.bucket)
            destination.put(digest.object_key, packed(digest.body), metadata(digest))
            self._write_checkpoint(destination, trail, digest.region)
            self._confirm_digest(digest)
            yield Written(trail, "digest", f"{digest.bucket}/{digest.object_key}")

    def _write_checkpoint(self, destination: Destination, trail: Trail, region: str) -> None:
        """Put what proves the whole log beside a digest, out of reach of whoever can change the log."""
        now = self.now()
        try:
            self.checkpoints.write(now)
            whole = self.checkpoints.whole(now)
        except WrapError:
            raise SigningKeyUnusable("the signing key does not open under the root key") from None
        except OperatorError as error:
            raise LogUnreadable(str(error)) from None
        if whole is not None:
            file = delivered(whole, trail, region, now)
            destination.put(file.key, file.body, {})

    def _confirm_digest(self, digest: TrailDigest) -> None:
        now = self.now()
        with self.database.write() as tx:
            trail_digests.deliver(tx, digest, now)
            trails.change(
                tx, digest.trail_id, digest_attempted_at=now, digest_delivered_at=now, digest_error=None
            )

    def _note(self, trail: Trail, **values: object) -> None:
        with self.database.write() as tx:
            trails.change(tx, trail.trail_id, **values)

    def _remove_if_done(self, trail: Trail) -> None:
        """Forget a deleted trail when all is delivered, or nothing will be any more."""
        if trail.deleted_at is None:
            return
        with self.database.write() as tx:
            is_late = self.now() > trail.deleted_at + _PATIENCE
            left = (
                audit_positions.get(tx.connection, trail.trail_id)
                or trail_files.pending(tx.connection, trail.trail_id)
                or trail_digests.pending(tx.connection, trail.trail_id)
            )
            if is_late or not left:
                audit_positions.remove(tx.connection, trail.trail_id)
                trails.remove(tx, trail.trail_id)
