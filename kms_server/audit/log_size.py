"""The whole log: where it is, how large it is, and how much of it has not been delivered."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Table

from kms_server.audit.journal import Ends, Journal
from kms_server.audit.segment_removal import segment_sizes
from kms_server.storage import audit_pruning, audit_writers
from kms_server.storage.audit_holds import Holds
from kms_server.storage.audit_tables import audit_data_events
from kms_server.storage.database import Database


class Part(NamedTuple):
    """The management events, or the data events: their table, and the directory of the embedded log's segments."""

    table: Table
    segments: Path | None

    @property
    def is_data(self) -> bool:
        """Whether these are data events."""
        return self.table is audit_data_events


@dataclass(frozen=True, slots=True)
class Log:
    """The whole log."""

    database: Database
    parts: tuple[Part, ...]

    def size(self) -> int:
        """Its bytes: those of segments, and about those of rows in the shared database with their indexes.

        Room that deleted rows have left in the database is not counted: new ones take it.
        """
        with self.database.read() as connection:
            in_tables = sum(_table_size(connection, part) for part in self.parts)
        return in_tables + sum(
            sum(segment_sizes(part.segments).values()) for part in self.parts if part.segments is not None
        )

    def held(self, holds: Holds) -> int:
        """The bytes of what somebody has yet to read."""
        return sum(self._held(part, holds) for part in self.parts)

    def _held(self, part: Part, holds: Holds) -> int:
        sizes = {} if part.segments is None else segment_sizes(part.segments)
        with self.database.read() as connection:
            row_size = audit_pruning.row_bytes(connection, part.table)
        held = 0.0
        for writer, head in ends(self.database, part).heads.items():
            rows = head.seq - holds.ceiling(writer, head.seq)
            held += rows * (sizes[writer] / head.seq if writer in sizes else row_size)
        return int(held)


def ends(database: Database, part: Part) -> Ends:
    """Where all chains end."""
    return Journal(database.engine, part.table, part.segments).ends()


def _table_size(connection: Connection, part: Part) -> int:
    chains = audit_writers.chains(connection, is_data=part.is_data)
    rows = sum(chain.head.seq - chain.pruned.seq for chain in chains)
    rows += audit_pruning.count_unchained(connection, part.table)
    return rows * audit_pruning.row_bytes(connection, part.table)
