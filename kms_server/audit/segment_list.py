"""The segments of a directory, as a question sees them: those that are open, and those that are sealed in order."""

import os
import resource
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from pysqlite3 import dbapi2

from kms_server.audit import marks
from kms_server.audit.marks import Mark
from kms_server.audit.tail import Tail

_Opener: TypeAlias = Callable[[Path], Any]

# A connection takes a descriptor and a quarter of a megabyte, and opening one as long as ten questions to it.
_MOST_KEPT = 128
_SHARE = 8  # of the descriptors that the process may have
_STATEMENTS = 16  # prepared, of each connection
# A file system may date two changes alike that lie this many nanoseconds apart.
_SAME_DATE = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed segment."""

    path: Path
    mark: Mark


@dataclass(frozen=True, slots=True)
class Listing:
    """The segments of one moment; the sealed ones by their last event, newest first, and by their first, oldest first."""

    unsealed: tuple[Path, ...]
    newest_first: tuple[Sealed, ...]
    oldest_first: tuple[Sealed, ...]


_NOTHING = Listing((), (), ())


class SegmentList:
    """The segments of a directory, read anew when the directory has changed, and connections to some of them.

    A log grows to hundreds of segments. Listing them and opening one take longer than a question to one, so marks are
    read once and the connections last used are kept. For any number of threads.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._most_kept = _most_kept()
        self._lock = threading.Lock()
        self._changed: int | None = None
        self._names: set[str] = set()
        self._listing = _NOTHING
        self._kept: OrderedDict[tuple[Path, _Opener], Any] = OrderedDict()

    def now(self) -> Listing:
        """The segments there are."""
        with self._lock:
            try:
                changed = self._directory.stat().st_mtime_ns
            except FileNotFoundError:  # the first start makes it
                return _NOTHING
            if changed != self._changed:
                listed = time.time_ns()
                with os.scandir(self._directory) as entries:
                    names = {entry.name for entry in entries}
                if names != self._names:
                    self._read(names)
                self._changed = changed if listed - changed > _SAME_DATE else None
            return self._listing

    def _read(self, names: set[str]) -> None:
        paths = [self._directory / name for name in sorted(names) if name.endswith(".db")]
        known = {one.path: one for one in self._listing.newest_first}
        marked = [path for path in paths if f"{path.stem}{marks.SUFFIX}" in names]
        sealed = {path: one for path in marked if (one := known.get(path) or _sealed(path))}
        # A mark that cannot be used is made anew under its name.
        self._names = names if len(sealed) == len(marked) else set()
        self._listing = Listing(
            tuple(path for path in paths if path not in sealed),
            tuple(sorted(sealed.values(), key=attrgetter("mark.last"), reverse=True)),
            tuple(sorted(sealed.values(), key=attrgetter("mark.first"))),
        )
        of_now = {(path, _open if path in sealed else Tail) for path in paths}
        for gone in self._kept.keys() - of_now:
            self._kept.pop(gone).close()

    def sealed(self, path: Path) -> AbstractContextManager[Any]:
        """A connection to a sealed segment."""
        return self._connection(path, _open)

    def tail(self, path: Path) -> AbstractContextManager[Tail]:
        """What is kept of a segment that is not sealed."""
        return self._connection(path, Tail)

    @contextmanager
    def _connection(self, path: Path, opener: _Opener) -> Iterator[Any]:
        """A connection that nobody else uses until the block ends."""
        key = (path, opener)
        with self._lock:
            connection = self._kept.pop(key, None)
        if connection is None:
            connection = opener(path)
        try:
            yield connection
        except dbapi2.Error:
            connection.close()
            raise
        except GeneratorExit:  # the page was full before this part of it ended
            self._keep(key, connection)
            raise
        self._keep(key, connection)

    def _keep(self, key: tuple[Path, _Opener], connection: Any) -> None:  # noqa: ANN401 - pysqlite3 has no types
        with self._lock:
            spare = self._kept.pop(key, None)
            self._kept[key] = connection
            if spare is None and len(self._kept) > self._most_kept:
                _, spare = self._kept.popitem(last=False)
        if spare is not None:
            spare.close()


@lru_cache(maxsize=8)
def segment_list(directory: Path) -> SegmentList:
    """The list of a directory that this process shares."""
    return SegmentList(directory)


def _most_kept() -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_KEPT if descriptors == resource.RLIM_INFINITY else min(_MOST_KEPT, descriptors // _SHARE)


def _sealed(path: Path) -> Sealed | None:
    mark = marks.read(path)
    return None if mark is None else Sealed(path, mark)


def _open(path: Path) -> Any:  # noqa: ANN401 - pysqlite3 has no types
    # immutable=1: nobody writes any more, so no lock is taken and no file made beside it.
    connection = dbapi2.connect(
        f"file:{quote(str(path))}?mode=ro&immutable=1",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
    connection.execute("PRAGMA cache_size=-64")
    return connection
