"""Verifies what one trail has delivered."""

from collections.abc import Callable, Sequence

from kms_server.audit.journal import Journal
from kms_server.audit.restores import Restore
from kms_server.audit.signing import SigningKeys
from kms_server.audit.verification.delivered_files import Buckets, Opener, Place
from kms_server.audit.verification.digests import DigestWalk
from kms_server.audit.verification.findings import Findings
from kms_server.audit.verification.log_files import LogFiles
from kms_server.storage import trail_digests, trail_files
from kms_server.storage.database import Database
from kms_server.storage.trail_digests import TrailDigest
from kms_server.storage.trail_files import TrailFile
from kms_server.storage.trails import Trail

_ROOT = "AWSLogs/"


class TrailVerification:
    """One look at the digests and log files of a trail, beside a server that delivers.

    What the database says is read before the bucket is listed, and asked again about files that it did not know then.
    All methods raise DestinationError when the bucket does not give what it is asked for.
    """

    def __init__(
        self, trail: Trail, opener: Opener, database: Database, keys: SigningKeys, journals: Sequence[Journal],
        restores: Sequence[Restore],
    ) -> None:  # fmt: skip
        self._restores = restores
        self._trail = trail
        self._database = database
        self._keys = keys
        self._journals = journals
        with database.read() as connection:
            self._files = trail_files.of_trail(connection, trail.trail_id)
        made: list[TrailDigest | TrailFile] = [*self._digests(), *self._files]
        self.buckets = Buckets(
            trail, opener, [(one.bucket, one.object_key.partition(_ROOT)[0].rstrip("/")) for one in made]
        )

    @property
    def files(self) -> int:
        """How many log files the database knows."""
        return len(self._files)

    def run(self, since: float | None, until: float | None, advance: Callable[[int], object]) -> Findings:
        """What is wrong. Log files are read of digests that end between two times, in epoch seconds.

        `advance` is told of log files as they are done.
        """
        walk = DigestWalk(self.buckets, self._keys, self._digests, self._restores)
        files = LogFiles(self.buckets, self._files, self._journals, self._restores)
        yield from walk.run()
        yield from walk.strangers()
        for digest in walk.digests:
            yield from files.note(digest)

        def is_chosen(end: float) -> bool:
            return (since is None or end >= since) and (until is None or end <= until)

        yield from files.check(walk.digests, walk.unread, is_chosen, advance)
        yield from files.unlisted(self._is_known, walk.others)

    def _digests(self) -> list[TrailDigest]:
        with self._database.read() as connection:
            return trail_digests.of_trail(connection, self._trail.trail_id)

    def _is_known(self, place: Place) -> bool:
        with self._database.read() as connection:
            return trail_files.is_planned(connection, *place)
