"""Links of chains, the numbers of rows, and those who read them in order."""

import hashlib
import hmac
from pathlib import Path

import pytest
from pysqlite3 import dbapi2
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from kms_server.audit.chain import ChainKey, extended
from kms_server.audit.chain_key import obtain
from kms_server.audit.journal import Entry, Journal
from kms_server.audit.ledger import MAIN, OBJECTS, Ledger
from kms_server.audit.log import AuditLog
from kms_server.audit.record import Row
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.audit.table_log import TableLog
from kms_server.config import Limits
from kms_server.errors import OperatorError
from kms_server.storage.audit_tables import audit_data_events, audit_events
from kms_server.storage.audit_writers import START, Head
from kms_server.storage.database import Database
from kms_server.storage.root_tables import wrapped_secrets
from tests.root_keys import root_of
from tests.unit.audit.audit_rows import CHAIN_KEY, put, row
from tests.unit.audit.test_record import event


def framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def documented(label: bytes, algorithm: str, records: list[str]) -> bytes:
    hashed = hashlib.new(algorithm, framed(*(record.encode() for record in records))).digest()
    text = framed(label, b"main", (8).to_bytes(8), (9).to_bytes(8), b"before", hashed)
    return hmac.digest(b"k" * 32, text, "sha256")


def test_a_link_is_what_the_document_says() -> None:
    records, key = ["{}", '{"a":"\u03a9"}'], ChainKey(b"k" * 32)
    new = documented(b"kms-server audit batch v2", "sha256", records)
    former = documented(b"kms-server audit batch v1", "sha512", records)
    assert key.link("main", 8, 9, b"before", records) == new
    for link in (new, former):
        assert key.is_link(link, "main", 8, 9, b"before", records)
        assert not key.is_link(link, "main", 8, 9, b"before", records[:1])
        assert not key.is_link(link[:-1], "main", 8, 9, b"before", records)


def test_a_mixture_of_forms_is_no_link() -> None:
    for label, algorithm in ((b"v2", "sha512"), (b"v1", "sha256")):
        mixed = documented(b"kms-server audit batch " + label, algorithm, ["{}"])
        assert not ChainKey(b"k" * 32).is_link(mixed, "main", 8, 9, b"before", ["{}"])


def test_a_key_that_is_gone_is_not_made_anew(database: Database) -> None:
    root = root_of()
    key = obtain(database, root)
    assert obtain(database, root).tag(b"", b"x") == key.tag(b"", b"x")
    with database.write() as tx:
        Ledger(key).add(tx.connection, event())
        tx.connection.execute(delete(wrapped_secrets))
    with pytest.raises(OperatorError, match="is gone"):
        obtain(database, root)


def test_a_batch_carries_its_link_on_its_last_row() -> None:
    rows = [row(number, record=f"[{number}]") for number in range(3)]
    batch = extended(CHAIN_KEY, "w", Head(4, b"before"), rows)
    link = CHAIN_KEY.link("w", 5, 7, b"before", ["[0]", "[1]", "[2]"])
    assert batch.head == Head(7, link)
    assert batch.rows == [(*rows[0], "w", 5, None), (*rows[1], "w", 6, None), (*rows[2], "w", 7, link)]


@pytest.mark.parametrize("changed", ["writer", "first", "last", "previous", "records", "key", "frames"])
def test_every_part_counts(changed: str) -> None:
    parts = {"writer": "w", "first": 1, "last": 2, "previous": b"", "records": ["ab", "c"]}
    others = {"writer": "v", "first": 2, "last": 3, "previous": b"x", "records": ["ab"]}
    key, given = CHAIN_KEY, dict(parts)
    if changed == "key":
        key = ChainKey(bytes(31) + b"x")
    elif changed == "frames":
        given["records"] = ["a", "bc"]
    else:
        given[changed] = others[changed]
    link = CHAIN_KEY.link(**parts)  # type: ignore[arg-type]
    assert key.link(**given) != link  # type: ignore[arg-type]
    assert not key.is_link(link, **given)  # type: ignore[arg-type]


def log_of(database: Database, directory: Path) -> tuple[AuditLog, Journal]:
    """A log that takes management events beside the ledger's, and its journal."""
    if database.engine.dialect.name == "sqlite":
        log: AuditLog = SegmentLog(directory, Limits(segment_rows=4), CHAIN_KEY)
        return log, Journal(database.engine, audit_events, directory)
    return TableLog(database.engine, audit_events, CHAIN_KEY), Journal(database.engine, audit_events, None)


def read(journal: Journal, writer: str, seq: int = 0) -> list[Entry]:
    return list(journal.after(writer, seq, journal.heads()[writer].seq))


def proven(entries: list[Entry], writer: str, head: Head) -> list[Row]:
    """The rows of a whole chain, recomputed."""
    at, batch = START, []
    for number, entry in enumerate(entries, 1):
        assert entry.seq == number
        batch.append(entry.row)
        if entry.link is not None:
            at = extended(CHAIN_KEY, writer, at, batch).head
            assert at.link == entry.link
            batch = []
    assert at == head
    return [entry.row for entry in entries]


def test_a_log_continues_its_chains(database: Database, tmp_path: Path) -> None:
    log, journal = log_of(database, tmp_path)
    rows = [row(number) for number in range(8)]
    for first, behind in ((0, 1), (1, 3), (3, 4), (4, 5), (5, 8)):
        log.append(rows[first:behind])
    log.close()
    found = [
        one for writer, head in journal.heads().items() for one in proven(read(journal, writer), writer, head)
    ]
    assert sorted(found) == sorted(rows)
    writer = next(iter(journal.heads()))
    assert read(journal, writer, 2) == read(journal, writer)[2:]
    assert list(journal.after(writer, 1, 2)) == read(journal, writer)[1:2]


def test_an_adopted_segment_continues_its_chain(tmp_path: Path, database: Database) -> None:
    if database.engine.dialect.name != "sqlite":
        pytest.skip("segments are embedded")
    for number in range(3):
        log = SegmentLog(tmp_path, Limits(), CHAIN_KEY)
        log.append([row(number)])
        log.close()
    ((writer, head),) = (journal := Journal(database.engine, audit_events, tmp_path)).heads().items()
    assert len(proven(read(journal, writer), writer, head)) == 3


@pytest.mark.parametrize(
    "change", ["DELETE FROM audit_events WHERE seq = 2", "UPDATE audit_events SET link = NULL"]
)
def test_a_segment_whose_end_was_changed_is_not_continued(tmp_path: Path, change: str) -> None:
    log = SegmentLog(tmp_path, Limits(), CHAIN_KEY)
    log.append([row(0), row(1)])
    log.close()
    (path,) = segment_files(tmp_path)
    vandal = dbapi2.connect(str(path), isolation_level=None)
    vandal.execute(change)
    vandal.close()
    log.append([row(2)])
    log.close()
    assert len(segment_files(tmp_path)) == 2


def test_segments_from_before_there_were_chains_are_read_and_left(tmp_path: Path) -> None:
    old = dbapi2.connect(str(tmp_path / "0123456789abcdef.db"), isolation_level=None)
    names = ", ".join(f"{name} TEXT" for name in Row._fields)
    old.execute(f"CREATE TABLE audit_events ({names})")
    old.execute(f"INSERT INTO audit_events VALUES ({', '.join('?' * len(Row._fields))})", row(1))
    old.close()
    log = SegmentLog(tmp_path, Limits(), CHAIN_KEY)
    log.append([row(2)])
    log.close()
    assert len(segment_files(tmp_path)) == 2
    assert (tmp_path / "0123456789abcdef.full").exists()


def test_mutations_are_chained_with_what_they_change(database: Database) -> None:
    ledger, journal = Ledger(CHAIN_KEY), Journal(database.engine, audit_events, None)
    data = Journal(database.engine, audit_data_events, None)
    for number in range(3):
        with database.write() as tx:
            ledger.add(tx.connection, event(event_id=row(number).event_id))
            ledger.add(tx.connection, event(event_id=row(number + 10).event_id))
        with database.index() as connection:
            ledger.add(connection, event(event_id=row(number).event_id, is_data=True))
    known = read(journal, MAIN)[0].row.event_id
    with pytest.raises(IntegrityError), database.write() as tx:
        ledger.add(tx.connection, event(event_id=known))
    assert len(proven(read(journal, MAIN), MAIN, journal.heads()[MAIN])) == 6
    ((writer, head),) = data.heads().items()
    assert writer.startswith(OBJECTS)
    assert len(proven(read(data, writer), writer, head)) == 3


def test_rows_of_no_chain_have_no_writer(database: Database) -> None:
    with database.write() as tx:
        put(tx.connection, row(1))
    assert Journal(database.engine, audit_events, None).heads() == {}
    with database.read() as connection:
        assert connection.execute(select(audit_events.c.writer)).scalar() is None
