"""Reads what was delivered, wherever it is."""

import math
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from kms_server.audit.checkpoint_delivery import folder
from kms_server.audit.restores import Restore
from kms_server.audit.trail.destination import Delivered, Destination
from kms_server.storage.trails import Trail

# A bucket and a key.
Place: TypeAlias = tuple[str, str]
# The bucket of a trail.
Opener: TypeAlias = Callable[[Trail], Destination]

_MOST_BYTES = 2**27  # trails make files of half of it
_GZIP = 31  # zlib's name for a gzip header and trailer


class Damaged(Exception):
    """What was delivered is not as it should be; the text says how."""


class Name(NamedTuple):
    """A file's name in full; `region` is that of its folder, `stamp` the time in its name, as digits with T and Z."""

    stamp: str
    region: str
    bucket: str
    key: str

    @property
    def place(self) -> Place:
        """Bucket and key."""
        return (self.bucket, self.key)

    @property
    def time(self) -> float:
        """The time in epoch seconds; log files have it to the minute. Of a stamp that is none, one that never comes."""
        seconds = self.stamp if len(self.stamp) == 16 else f"{self.stamp[:-1]}00Z"
        try:
            return datetime.strptime(seconds, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return math.inf


def is_lost(restores: Iterable[Restore], name: Name) -> bool:
    """Whether a file was delivered in a time that a restore has lost, so that the database may not know it."""
    return any(one.lost_delivery(name.time) for one in restores)


def path(place: Place) -> str:
    """How findings name a file."""
    return "/".join(place)


class Buckets:
    """The buckets that a trail has delivered to; places are names of buckets and prefixes.

    All methods raise DestinationError when a bucket does not give what it is asked for.
    """

    def __init__(self, trail: Trail, opener: Opener, places: Iterable[tuple[str, str]]) -> None:
        self.trail = trail
        self._opener = opener
        self._opened: dict[str, Destination] = {}
        # Each with the prefix that the trail had there, in the order of their use.
        self._places = dict.fromkeys([*places, (trail.bucket, trail.prefix)])

    def get(self, place: Place) -> Delivered:
        """A file.

        Raises:
            NoSuchFile
        """
        bucket, key = place
        return self._at(bucket).get(key)

    def names(self, kind: str, stamp: str) -> tuple[list[Name], list[str]]:
        """The files of a kind in all Regions by their time, and the keys in its folders that are no such names.

        `stamp` is a pattern of the time in a name, with what may stand around it; its first group is the time.
        """
        account = self.trail.account
        found, others = [], []
        for bucket, prefix in self._places:
            above = folder(prefix, account, kind)
            pattern = re.compile(
                rf"{re.escape(above)}([a-z0-9-]+)/\d{{4}}/\d\d/\d\d/{account}_{kind}_\1_{stamp}\.json\.gz"
            )
            for key in self._at(bucket).keys(above):
                if match := pattern.fullmatch(key):
                    found.append(Name(match[2], match[1], bucket, key))
                else:
                    others.append(f"{bucket}/{key}")
        return sorted(found), others

    def _at(self, bucket: str) -> Destination:
        if bucket not in self._opened:
            self._opened[bucket] = self._opener(replace(self.trail, bucket=bucket))
        return self._opened[bucket]


def inflated(body: bytes) -> bytes:
    """The content of a gzip file of one member, with nothing behind it.

    Raises:
        Damaged: it is none, or grows beyond what was ever delivered.
    """
    stream = zlib.decompressobj(_GZIP)
    try:
        content = stream.decompress(body, _MOST_BYTES + 1)
    except zlib.error:
        raise Damaged("it is not a gzip file") from None
    if len(content) > _MOST_BYTES:
        raise Damaged(f"it has more than {_MOST_BYTES:,} bytes when it is unpacked")
    if not stream.eof:
        raise Damaged("it is cut off")
    if stream.unused_data:
        raise Damaged("it has something behind its end")
    return content
