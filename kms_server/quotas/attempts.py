"""Attempts of the past, put in the order of their times in memory that does not grow with their number."""

import heapq
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import NamedTuple, Self

from kms_server.errors import OperatorError
from kms_server.quotas.plans import Count

# Sorts as bytes: time, whether it is exact, event id; then what it counts as.
_ENTRY = struct.Struct(">Q?16sI")
_RUN = 250_000  # entries that are sorted at a time
_READ = 4_096  # entries that are read at a time, of each run


class Attempt(NamedTuple):
    """A call that a log tells of, whether it passed or not.

    `time` is in milliseconds since 1970; where it is not `exact` it is cut to the second. `event_id` has sixteen bytes.
    """

    time: int
    exact: bool
    event_id: bytes
    counts: tuple[Count, ...]


class Attempts:
    """Takes attempts in any order and gives each event once, the earliest first.

    Raises:
        OperatorError: there is no room for temporary files; so may `add`.
    """

    def __init__(self, run: int = _RUN) -> None:
        self._run = run
        self._kinds: dict[tuple[Count, ...], int] = {}
        self._newest: list[bytes] = []
        self._sorted: list[tuple[int, int]] = []
        with _reported():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `__exit__` closes it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # nobody needs what it could not write
            self._file.close()

    def add(self, attempt: Attempt) -> None:
        """Take one."""
        time, exact, event_id, counts = attempt
        kind = self._kinds.setdefault(counts, len(self._kinds))
        self._newest.append(_ENTRY.pack(time, exact, event_id, kind))
        if len(self._newest) >= self._run:
            self._put_down()

    def __iter__(self) -> Iterator[Attempt]:
        self._newest.sort()
        kinds = list(self._kinds)
        last = None
        for entry in heapq.merge(self._newest, *(self._taken_up(*place) for place in self._sorted)):
            if entry != last:
                last = entry
                time, exact, event_id, kind = _ENTRY.unpack(entry)
                yield Attempt(time, exact, event_id, kinds[kind])

    def _put_down(self) -> None:
        self._newest.sort()
        with _reported():
            start = self._file.seek(0, 2)
            self._file.write(b"".join(self._newest))
            self._file.flush()
        self._sorted.append((start, len(self._newest) * _ENTRY.size))
        self._newest.clear()

    def _taken_up(self, start: int, size: int) -> Iterator[bytes]:
        for place in range(start, start + size, _READ * _ENTRY.size):
            self._file.seek(place)
            block = self._file.read(min(_READ * _ENTRY.size, start + size - place))
            yield from (block[at : at + _ENTRY.size] for at in range(0, len(block), _ENTRY.size))


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OperatorError(f"cannot write a temporary file, TMPDIR says where: {error.strerror}") from None
