"""One fsynced commit of one row in SQLite, by the audit log's driver, in pages as SQLite has them by itself."""

import os
import time
from pathlib import Path

from pysqlite3 import dbapi2

from bench.audit_rows import RARE_ROWS, rows

_WARM_UP = 100
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=200")


def commit_seconds(directory: Path, seconds: float) -> list[float]:
    """How long each of the commits took that one connection made within a time, one after the other."""
    connection = dbapi2.connect(str(directory / f"{os.urandom(8).hex()}.db"), isolation_level=None)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE events (event_id TEXT PRIMARY KEY, record TEXT NOT NULL)")
    row = next(rows(RARE_ROWS))
    costs: list[float] = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end or len(costs) <= _WARM_UP:
        connection.execute("INSERT INTO events VALUES (?, ?)", (f"{len(costs):036}", row.record))
        costs.append(time.perf_counter() - begin)
    connection.close()
    return costs[_WARM_UP:]
