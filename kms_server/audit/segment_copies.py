"""The rows of segments as backups have them, and segments made of such rows."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pysqlite3 import dbapi2

from kms_server.audit import backlog, marks
from kms_server.audit.chain import COLUMNS
from kms_server.audit.segments import CREATE, is_full, mark_full, segment_files
from kms_server.errors import OperatorError
from kms_server.storage import copy_text
from kms_server.storage.audit_tables import audit_data_events, audit_events
from kms_server.storage.dumping import Shape, shape_of

_HAS = "SELECT name FROM pragma_table_info('audit_events')"
_INSERT = f"INSERT INTO audit_events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - names of columns alone


@dataclass(frozen=True, slots=True)
class SegmentCopy:
    """A segment to be read: its writer, the shape of its rows in the table they would be in, and whether it gets no more."""

    path: Path
    shape: Shape
    full: bool

    @property
    def writer(self) -> str:
        """Named as the file."""
        return self.path.stem

    def blocks(self) -> Iterator[bytes]:
        """Its rows in their order, up to one moment.

        Raises:
            OperatorError: they cannot be read.
        """
        names = ", ".join(self.shape.columns)
        try:
            with closing(_opened(self.path)) as connection:
                rows = connection.execute(f"SELECT {names} FROM audit_events ORDER BY rowid")  # noqa: S608
                yield from copy_text.encoded(rows, self.shape.kinds)
        except (dbapi2.Error, copy_text.BadRow) as error:
            raise _unreadable(self.path, error) from None


def copies(directory: Path, *, is_data: bool) -> Iterator[SegmentCopy]:
    """The segments of a directory that have rows or may get some, while nobody prunes.

    Raises:
        OperatorError: one cannot be read.
    """
    whole = shape_of(audit_data_events if is_data else audit_events)
    kinds = dict(zip(whole.columns, whole.kinds, strict=True))
    segments = segment_files(directory)
    backlog.wait(segments)
    if orphans := [path for path in segments if backlog.is_orphaned(path)]:
        raise OperatorError(
            f"records wait beside the audit segment {orphans[0]} to be taken into it: start the server once, which does that"
        )
    for path in segments:
        full = is_full(path)
        try:
            with closing(_opened(path)) as connection:
                there = {name for (name,) in connection.execute(_HAS)}
        except dbapi2.Error as error:
            raise _unreadable(path, error) from None
        names = [name for name in COLUMNS if name in there]
        if names:
            yield SegmentCopy(path, Shape(whole.name, names, [kinds[name] for name in names]), full)


def write(path: Path, blocks: Iterable[bytes], shape: Shape, *, full: bool) -> None:
    """Make a segment; it is durable once it is synced.

    Raises:
        BadRow: they are not rows of a segment.
    """
    path.touch(mode=0o600)
    with closing(dbapi2.connect(str(path), isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(CREATE)
        connection.execute("BEGIN")
        for block in blocks:
            connection.executemany(_INSERT, copy_text.decoded(block, shape.kinds))
        connection.execute("COMMIT")
    if full:
        mark_full(path)


def _opened(path: Path) -> Any:  # noqa: ANN401 - the driver has no types
    mode = "mode=ro&immutable=1" if path.with_suffix(marks.SUFFIX).exists() else "mode=rw"
    return dbapi2.connect(f"file:{quote(str(path))}?{mode}", uri=True, isolation_level=None)


def _unreadable(path: Path, error: Exception) -> OperatorError:
    return OperatorError(
        f"the audit segment {path} cannot be read: {error}; run `kms-server audit verify`, and move the file elsewhere to "
        "have a backup without it"
    )
