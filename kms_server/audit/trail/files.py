"""What is in a log file of a trail: gzip of `{"Records":[...]}`, the same bytes each time it is made."""

import gzip
import hashlib
from typing import NamedTuple

import orjson

from kms_server.audit import event_id
from kms_server.audit.record import Row
from kms_server.audit.trail.reading import Journals, LogUnreadable, rows
from kms_server.audit.trail.selectors import Selectors
from kms_server.storage.trail_files import TrailFile
from kms_server.storage.trails import Trail

# CloudTrail's files have about 50 MB at most, uncompressed.
MOST_BYTES = 50_000_000
# Half the time of the highest level, for files that are hardly longer.
_COMPRESSION = 6


class LogContent(NamedTuple):
    """A log file; `hash` is the hexadecimal SHA-256 of what is in it uncompressed, times are epoch seconds."""

    body: bytes
    hash: str
    oldest: float
    newest: float


def selects(trail: Trail, selectors: Selectors, row: Row) -> bool:
    """Whether a trail delivers a record, to the files of the record's Region."""
    if row.account != trail.account or not (trail.multi_region or row.region == trail.region):
        return False
    return selectors.selects(orjson.loads(row.record))


def build(journals: Journals, trail: Trail, file: TrailFile) -> LogContent:
    """The content of a file, from the log; records are in the order of their event ids.

    Raises:
        LogUnreadable: the log does not have all of it any more.
    """
    selectors = Selectors.of(file.selectors)
    found: list[tuple[str, str]] = []
    owners = journals.owners()
    for writer, (first, last) in file.ranges.items():
        if writer not in owners:
            raise LogUnreadable(f"the audit log has no rows of {writer}")
        for entry in rows(owners[writer], writer, first, last):
            row = entry.row
            # Whether a trail is for all Regions may have changed since.
            is_here = row.account == trail.account and row.region == file.region
            if is_here and selectors.selects(orjson.loads(row.record)):
                found.append((row.event_id, row.record))
    if not found:
        raise LogUnreadable("no record of the file is in the audit log")
    found.sort()
    content = f'{{"Records":[{",".join(record for _, record in found)}]}}'.encode()
    return LogContent(
        packed(content), hashlib.sha256(content).hexdigest(), event_id.time_of(found[0][0]),
        event_id.time_of(found[-1][0]),
    )  # fmt: skip


def packed(content: bytes) -> bytes:
    """The gzip of a content; it depends on nothing else."""
    return gzip.compress(content, _COMPRESSION, mtime=0)
