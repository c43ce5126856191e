"""The log of data events: a place of its own beside the other one."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from kms_server.audit import event_id
from kms_server.audit.lookup import lookup, stream
from kms_server.audit.matching import Filter
from kms_server.audit.places import sources
from kms_server.audit.record import Row, to_row
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.table_log import TableLog
from kms_server.config import Limits
from kms_server.storage import audit_tables
from kms_server.storage.database import Database
from tests.unit.audit.audit_rows import CHAIN_KEY, put, query, row
from tests.unit.audit.test_record import event

BUCKET, OBJECT = "arn:aws:s3:::ledger", f"arn:aws:s3:::ledger/{'k' * 1024}"


def used(number: int = 0, member: str = "encryptionContext", **context: str) -> Row:
    """The row of a call with an encryption context."""
    made = to_row(
        event(
            event_id=event_id.new(1_790_000_000 + number), request_parameters={"keyId": "k", member: context}
        )
    )
    return made._replace(account="111122223333")


def test_the_category_of_a_data_event() -> None:
    record = orjson.loads(
        to_row(
            event(is_data=True, resources=(("AWS::S3::Object", OBJECT), ("AWS::S3::Bucket", BUCKET)))
        ).record
    )
    assert (record["managementEvent"], record["eventCategory"]) == (False, "Data")
    assert record["resources"] == [
        {"type": "AWS::S3::Object", "ARN": OBJECT},
        {"type": "AWS::S3::Bucket", "ARN": BUCKET},
    ]


def test_each_log_has_its_own(database: Database, tmp_path: Path) -> None:
    """Rows of tables and of segments; lookups of one see nothing of the other."""
    kept, changed, other = row(1, resource_1=OBJECT), row(2, resource_1=OBJECT), row(3)
    with database.write() as tx:
        put(tx.connection, changed, data=True)
        put(tx.connection, other)
    directory: Path | None = tmp_path / "data"
    if database.engine.dialect.name == "sqlite":
        assert directory is not None
        directory.mkdir()
        log: Any = SegmentLog(directory, Limits(), CHAIN_KEY)
    else:
        directory, log = None, TableLog(database.engine, audit_tables.audit_data_events, CHAIN_KEY)
    log.append([kept])
    log.close()
    data = sources(database.engine, directory, data=True)
    management = sources(database.engine, None)
    assert lookup(management, query()) == [other]
    assert lookup(data, query()) == [changed, kept]
    assert list(stream([*management, *data], Filter())) == [kept, changed, other]


def test_a_data_event_goes_with_its_transaction(database: Database) -> None:
    with database.engine.connect() as connection:
        put(connection, row(), data=True)
    with database.read() as connection:
        assert connection.execute(select(audit_tables.audit_data_events)).all() == []


CONTEXTS: list[tuple[tuple[tuple[str, str], ...], list[int]]] = [
    ((("tenant", "a"),), [0, 1]),
    ((("tenant", "a"), ("table", "t")), [1]),
    ((("tenant", "A"),), [2]),
    ((("tenant", "%"),), []),
    ((("tenant", ""),), []),
    ((("tenant", 'quo"te\\ü'),), [3]),
    ((("keyId", "k"),), []),
    ((("source", "s"),), [4]),
    ((("source", "s"), ("destination", "d")), []),
]


@pytest.mark.parametrize(("pairs", "found"), CONTEXTS, ids=range(len(CONTEXTS)))
def test_contexts(database: Database, pairs: tuple[tuple[str, str], ...], found: list[int]) -> None:
    both = orjson.dumps(
        {
            "requestParameters": {
                "sourceEncryptionContext": {"source": "s"},
                "destinationEncryptionContext": {"destination": "d"},
            }
        }
    ).decode()
    rows = [
        used(0, tenant="a"),
        used(1, tenant="a", table="t"),
        used(2, tenant="A"),
        used(3, tenant='quo"te\\ü'),
        used(4)._replace(record=both),
        used(5, member="other", tenant="a"),
        used(6)._replace(record='{"requestParameters":null}'),
    ]
    with database.write() as tx:
        for one in rows:
            put(tx.connection, one)
    places = sources(database.engine, None)
    assert list(stream(places, Filter(context=pairs))) == [rows[number] for number in found]


def test_a_limit_counts_what_truly_fits(database: Database) -> None:
    rows = [used(0, tenant="A"), used(1, tenant="a"), used(2, tenant="a")]
    with database.write() as tx:
        for one in rows:
            put(tx.connection, one)
    found = stream(sources(database.engine, None), Filter(context=(("tenant", "a"),), limit=1))
    assert list(found) == [rows[1]]
