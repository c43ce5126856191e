"""An open segment as pages of a question read it: with a copy, in memory, of all but the records.

The file has no index, and its rows are large: reading all of them for a rare value takes longer than all else a page costs.
The copy has them in the order of their event ids. It grows by what was appended since the question before, and its
size is bounded by that of a segment. It has the table's name, so that statements are the same for all segments.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from pysqlite3 import dbapi2

from kms_server.audit.record import Row

_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'audit_events'"
_COPIED = [name for name in Row._fields if name != "record"]
_NAMES = ", ".join(_COPIED)
_VIEWED = ", ".join(f"copied.{name}" for name in _COPIED)
_VIEW = (
    f"CREATE TEMP VIEW audit_events AS SELECT {_VIEWED}, stored.record FROM copied"  # noqa: S608 - names of our own
    " CROSS JOIN main.audit_events AS stored ON stored.rowid = copied.place"
)
_SCHEMA = (
    "PRAGMA temp_store=MEMORY",
    f"CREATE TEMP TABLE copied ({_NAMES}, place, PRIMARY KEY (event_id)) WITHOUT ROWID",
    _VIEW,
)
_COPY = f"INSERT INTO copied SELECT {_NAMES}, rowid FROM main.audit_events WHERE rowid > ? AND rowid <= ?"  # noqa: S608


def open_unsealed(path: Path) -> Any:  # noqa: ANN401 - pysqlite3 has no types
    """A connection to a segment of any state."""
    # mode=rw: looking must never create a file.
    return dbapi2.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )


def has_rows(connection: Any) -> bool:  # noqa: ANN401
    """Whether the table is there; the owner may have made the file this very moment."""
    return connection.execute(_HAS_TABLE).fetchone() is not None


class Tail:
    """A connection to an open segment, and the copy."""

    def __init__(self, path: Path) -> None:
        self._connection = open_unsealed(path)
        self._copied = 0
        self._has_copy = False

    def refreshed(self) -> Any:  # noqa: ANN401
        """The connection, with all in the copy that is committed; None while there is no table yet."""
        if not has_rows(self._connection):
            return None
        if not self._has_copy:
            for statement in _SCHEMA:
                self._connection.execute(statement)
            self._has_copy = True
        ((newest,),) = self._connection.execute("SELECT coalesce(max(rowid), 0) FROM main.audit_events")
        self._connection.execute(_COPY, (self._copied, newest))
        self._copied = newest
        return self._connection

    def close(self) -> None:
        """Let file and copy go."""
        self._connection.close()
