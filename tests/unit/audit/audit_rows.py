"""Rows to write, and what a directory of segments holds."""

import time
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.pool import StaticPool

from kms_server.audit import event_id
from kms_server.audit.chain import ChainKey
from kms_server.audit.pages import Query
from kms_server.audit.places import Source, sources
from kms_server.audit.record import Row
from kms_server.audit.segments import segment_files
from kms_server.storage.audit_tables import audit_data_events, audit_events, audit_metadata

ACCOUNT, REGION = "111122223333", "us-east-1"
CHAIN_KEY = ChainKey(bytes(32))


def row(number: int = 0, **changes: Any) -> Row:
    """A row of now, or `number` milliseconds later."""
    plain = Row(
        event_id=event_id.new(time.time() + number / 1000), account=ACCOUNT, region=REGION, event_name="Encrypt",
        event_source="kms.amazonaws.com", read_only=True, username="mira", access_key_id="AKIA",
        resource_1=f"arn:{number}", resource_2=None, error_code=None, record="{}",
    )  # fmt: skip
    return plain._replace(**changes)


def query(**changes: Any) -> Query:
    """A query for everything in the account and Region, or less."""
    everything: dict[str, Any] = {
        "account": ACCOUNT, "region": REGION, "attribute": None, "start": None, "end": None, "after": None,
        "limit": 10_000,
    }  # fmt: skip
    return Query(**everything | changes)


def places(directory: Path) -> list[Source]:
    """The segments, beside a main database without records."""
    engine = create_engine("sqlite://", module=dbapi2, poolclass=StaticPool)
    audit_metadata.create_all(engine)
    return sources(engine, directory)


def stored(directory: Path) -> list[str]:
    """The event id of every row of every segment, as often as it stands there."""
    found: list[str] = []
    for path in segment_files(directory):
        connection = dbapi2.connect(str(path))
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_events'").fetchone():
            found += [identifier for (identifier,) in connection.execute("SELECT event_id FROM audit_events")]
        connection.close()
    return sorted(found)


def put(connection: Connection, row: Row, *, data: bool = False) -> None:
    """Store a row that is in nobody's chain."""
    connection.execute(insert(audit_data_events if data else audit_events), row._asdict())
