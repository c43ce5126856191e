"""Finds ids that occur twice among any number of them, in little memory."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self
from uuid import UUID

_BUCKETS = 64
_BYTES = 16


class Duplicates:
    """Takes ids (UUIDs); a file for each of their last six bits, so that only one part is in memory at a time."""

    def __init__(self) -> None:
        self._files = ExitStack()
        self._buckets = [
            self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - `__exit__` closes them
            for _ in range(_BUCKETS)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, event_id: str) -> None:
        """Take an id; what is no UUID is passed over, since no record of ours has such an id."""
        try:
            packed = bytes.fromhex(event_id.replace("-", ""))
        except ValueError:
            return
        if len(packed) == _BYTES:
            self._buckets[packed[-1] % _BUCKETS].write(packed)

    def found(self) -> Iterator[str]:
        """The ids that were added more than once."""
        for bucket in self._buckets:
            bucket.seek(0)
            seen, told = set(), set()
            while packed := bucket.read(_BYTES):
                if packed in seen and packed not in told:
                    told.add(packed)
                    yield str(UUID(bytes=packed))
                seen.add(packed)
