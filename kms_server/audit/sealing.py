"""Sealing: full segments are indexed once, and read only from then on."""

import logging
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from pysqlite3 import dbapi2
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex

from kms_server.audit import backlog, marks
from kms_server.audit.segment_list import segment_list
from kms_server.audit.segments import is_full, lock
from kms_server.storage.audit_tables import audit_indexes

_LOG = logging.getLogger(__name__)
_INDEX = {
    str(index.name).removeprefix("ix_audit_events_"): str(
        CreateIndex(index, if_not_exists=True).compile(dialect=sqlite.dialect())
    )
    for index in audit_indexes
}
# Few records have a second resource.
_INDEX["resource_2"] += " WHERE resource_2 IS NOT NULL"
_SORTING = 65_536  # KiB of memory while a segment is indexed

# Of more full segments there is no rest until they are sealed.
_MOST_WAITING = 4

Result = TypeVar("Result")
# Is told how many seconds a step has taken, and returns when the next may begin.
Rest = Callable[[float], object]


def _no_rest(seconds: float) -> None:
    del seconds


def seal(directory: Path, rest: Rest = _no_rest) -> None:
    """Index full segments, which nobody writes any more; any number of processes may try.

    Raises:
        OSError: some could not be sealed; the others are.
    """
    failed = 0
    full = [path for path in segment_list(directory).now().unsealed if is_full(path)]
    if len(full) > _MOST_WAITING:
        rest = _no_rest
    for path in full:
        descriptor = lock(path)
        if descriptor is None:
            continue
        try:
            # Others may have sealed or pruned it while this one rested.
            if path.exists() and marks.read(path) is None:
                # Its owner may have been killed between the mark that it is full and this.
                backlog.remove(path)
                _index(path, rest)
        except (dbapi2.Error, OSError) as error:
            _LOG.error("the audit segment %s cannot be sealed: %s", path, type(error).__name__)
            failed += 1
        finally:
            os.close(descriptor)
    if failed:
        raise OSError(f"{failed} audit segments cannot be sealed")


def _index(path: Path, rest: Rest) -> None:
    """Index a segment in steps, each a transaction: the syncs of other files wait for what one has written."""
    # mode=rw: what was pruned meanwhile must not be made anew.
    connection = dbapi2.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None)
    step = partial(_taken, rest)
    try:
        connection.execute(f"PRAGMA cache_size=-{_SORTING}")
        alike = step(partial(marks.uniform, connection))
        for name, statement in _INDEX.items():
            if name not in alike:
                step(partial(connection.execute, statement))
        mark = step(partial(marks.describe, connection, alike))
        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    # Who reads a sealed segment passes over its write-ahead log; a reader in the way goes soon.
    if not busy:
        marks.write(path, mark)


def _taken(rest: Rest, step: Callable[[], Result]) -> Result:
    began = time.monotonic()
    result = step()
    rest(time.monotonic() - began)
    return result
