"""Holds delivered log files against the digests that list them, and against the log."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from kms_server.audit.journal import Entry, Journal
from kms_server.audit.restores import Restore
from kms_server.audit.trail.destination import NoSuchFile
from kms_server.audit.verification.delivered_files import Buckets, Damaged, Place, inflated, is_lost, path
from kms_server.audit.verification.digest import Digest
from kms_server.audit.verification.digests import FORGOTTEN
from kms_server.audit.verification.duplicates import Duplicates
from kms_server.audit.verification.findings import Findings, error, notice, unchecked
from kms_server.errors import OperatorError
from kms_server.storage.trail_files import TrailFile

KIND = "CloudTrail"
_STAMP = r"(\d{8}T\d{4}Z)_[A-Za-z0-9]{16}"
_RETENTION = "unless the bucket's owner has it expire, find out who can delete from the bucket"
_DAMAGED = "put the segment back from a backup, and verify again"
_UNLISTED = (
    "somebody may have added it; a trail without validation that was deleted since may also have delivered it"
)


class LogFiles:
    """The log files of a trail; `made` are those that the database knows, in the order of their planning."""

    def __init__(
        self, buckets: Buckets, made: Iterable[TrailFile], journals: Sequence[Journal],
        restores: Sequence[Restore] = (),
    ) -> None:  # fmt: skip
        self._restores = restores
        self._buckets = buckets
        self._made = {(one.bucket, one.object_key): one for one in made}
        self._journals = journals
        self._listed: dict[Place, Place] = {}

    def note(self, digest: Digest) -> Findings:
        """Note what a digest lists; no file is listed twice."""
        for one in digest.files:
            place = (one.bucket, one.key)
            other = self._listed.setdefault(place, digest.name.place)
            if other != digest.name.place:
                yield error(path(place), f"two digests list it: {path(other)} and {path(digest.name.place)}")

    def check(
        self, digests: Iterable[Digest], unread: Collection[tuple[str, float]], is_chosen: Callable[[float], bool],
        advance: Callable[[int], object],
    ) -> Findings:  # fmt: skip
        """Read the files that digests list whose end is chosen, and those that none lists; all listed ones are noted by now.

        `unread` are Region and end of digests of which nobody knows what they list.

        Raises:
            DestinationError: the bucket does not give what it is asked for.
        """
        with Duplicates() as duplicates:
            for digest in digests:
                for one in digest.files if is_chosen(digest.ends_at) else ():
                    yield from self._file((one.bucket, one.key), one.hash, duplicates)
                    advance(1)
            for place, made in self._made.items():
                if made.hash is None or place in self._listed:
                    continue
                if made.digest_end is None or made.digest_end == made.delivered_at:
                    if is_chosen(made.delivered_at or 0.0):
                        yield from self._file(place, made.hash, duplicates)
                elif (made.region, made.digest_end) not in unread:
                    yield error(path(place), "the digest that is said to list it is missing, or does not")
            for repeated in duplicates.found():
                yield error(
                    f"event {repeated}", f"trail {self._buckets.trail.name} has delivered it more than once"
                )

    def unlisted(self, is_known: Callable[[Place], bool], others: Callable[[], Iterator[Digest]]) -> Findings:
        """Files that lie among the log files and belong to nothing.

        `is_known` tells whether the database knows a file, of whichever trail; `others` are digests of other trails.

        Raises:
            DestinationError: the bucket does not give what it is asked for.
        """
        names, strangers = self._buckets.names(KIND, _STAMP)
        unknown = [name for name in names if name.place not in self._listed and not is_known(name.place)]
        if unknown:
            elsewhere = {(one.bucket, one.key) for digest in others() for one in digest.files}
            unknown = [name for name in unknown if name.place not in elsewhere]
        for name in unknown:
            if is_lost(self._restores, name):
                yield notice(path(name.place), FORGOTTEN)
            else:
                yield error(path(name.place), "no digest lists it, and no trail has made it", _UNLISTED)
        for one in strangers:
            yield error(one, "it is among the log files, and has not the name of one: it was added")

    def _file(self, place: Place, expected: str, duplicates: Duplicates) -> Findings:
        where = path(place)
        try:
            content = inflated(self._buckets.get(place).body)
        except NoSuchFile:
            yield error(where, "the log file is missing", _RETENTION)
            return
        except Damaged as problem:
            yield error(where, f"the log file was changed: {problem}")
            return
        if hashlib.sha256(content).hexdigest() != expected:
            yield error(where, "the log file was changed: it has another hash than its digest says")
            return
        try:
            records = {record["eventID"]: record for record in json.loads(content)["Records"]}
        except (KeyError, TypeError, ValueError):
            yield error(where, "it is not a log file, though its digest has its hash: it was signed anew")
            return
        for event_id in records:
            duplicates.add(event_id)
        made = self._made.get(place)
        if made is not None and made.hash not in (None, expected):
            yield error(where, "the log file that was made had another hash than its digest says")
        if made is None:
            return
        try:
            yield from self._against_log(where, made, records)
        except OperatorError as problem:
            yield unchecked(where, f"it cannot be held against the log: {problem}", _DAMAGED)

    def _against_log(self, where: str, made: TrailFile, records: dict[str, Any]) -> Findings:
        pruned = False
        for writer, (first, last) in made.ranges.items():
            rows = 0
            for entry in self._entries(writer, first, last):
                rows += 1
                record = records.pop(entry.row.event_id, None)
                if record is not None and record != json.loads(entry.row.record):
                    yield error(where, f"event {entry.row.event_id} is another than the log has")
            pruned |= rows < last - first + 1
        if records and not pruned:
            yield error(where, f"{len(records)} records are not in the log, such as {next(iter(records))}")

    def _entries(self, writer: str, first: int, last: int) -> Iterator[Entry]:
        return chain.from_iterable(journal.after(writer, first - 1, last) for journal in self._journals)
