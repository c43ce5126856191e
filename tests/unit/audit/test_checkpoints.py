"""Checkpoints: when they are written, what they name, and what outlives pruning."""

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from kms_server.audit.checkpoint import Checkpoint, Complete
from kms_server.audit.checkpoint_chain import CheckpointChain, folded
from kms_server.audit.checkpoint_delivery import delivered, opened
from kms_server.audit.checkpoints import HEARTBEAT, INTERVAL, Checkpoints
from kms_server.audit.journal import Journal
from kms_server.audit.ledger import MAIN, Ledger
from kms_server.audit.segment_log import SegmentLog
from kms_server.audit.segments import segment_files
from kms_server.audit.signing import SigningKeys
from kms_server.audit.table_log import TableLog
from kms_server.clock import Clock
from kms_server.config import Limits
from kms_server.errors import OperatorError
from kms_server.storage import checkpoints as stored
from kms_server.storage.audit_tables import audit_data_events, audit_events, audit_writers
from kms_server.storage.audit_writers import Head
from kms_server.storage.database import Database
from kms_server.storage.trail_tables import audit_checkpoints
from kms_server.storage.trails import Trail
from tests.root_keys import root_of
from tests.unit.audit.audit_rows import CHAIN_KEY, row
from tests.unit.audit.test_record import event

NOW = 1_790_000_000.0


@pytest.fixture
def keys(database: Database) -> SigningKeys:
    return SigningKeys(database, root_of(), CHAIN_KEY)


class Log:
    """A log of one writer beside the ledger, and its journals."""

    def __init__(self, database: Database, directory: Path) -> None:
        self._database = database
        self._directory = directory
        embedded = database.engine.dialect.name == "sqlite"
        self._log = (
            SegmentLog(directory, Limits(), CHAIN_KEY)
            if embedded
            else TableLog(database.engine, audit_events, CHAIN_KEY)
        )
        segments = directory if embedded else None
        self.journals = (
            Journal(database.engine, audit_events, segments),
            Journal(database.engine, audit_data_events, None),
        )

    def append(self, rows: int = 1) -> None:
        self._log.append([row(number) for number in range(rows)])

    def close(self) -> None:
        self._log.close()

    def change(self, *, is_data: bool = False) -> None:
        with self._database.write() as tx:
            Ledger(CHAIN_KEY).add(tx.connection, event(event_id=row().event_id, is_data=is_data))

    def remove(self, writer: str) -> None:
        """As pruning does with a writer of which nothing stays."""
        (self._directory / f"{writer}.db").unlink(missing_ok=True)
        with self._database.write() as tx:
            tx.connection.execute(delete(audit_events).where(audit_events.c.writer == writer))
            tx.connection.execute(delete(audit_writers).where(audit_writers.c.writer == writer))

    def heads(self) -> dict[str, Head]:
        return {writer: head for journal in self.journals for writer, head in journal.heads().items()}


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    return Log(database, tmp_path)


@pytest.fixture
def checkpoints(database: Database, log: Log, keys: SigningKeys) -> Checkpoints:
    return Checkpoints(database, log.journals, keys)


def problems(database: Database, keys: SigningKeys) -> list[str]:
    with database.read() as connection:
        steps = CheckpointChain(keys).walk(stored.oldest_first(connection))
        return [problem for step in steps for problem in step.problems]


def test_each_names_what_moved(
    database: Database, log: Log, checkpoints: Checkpoints, keys: SigningKeys
) -> None:
    log.append(3)
    log.change()
    log.change(is_data=True)
    first = checkpoints.write(NOW)
    assert first is not None
    assert (first.number, first.base, first.previous, first.coverage.since) == (1, True, None, NOW)
    assert first.coverage.heads == log.heads()
    assert len(first.coverage.heads) == 3
    assert checkpoints.write(NOW + INTERVAL) is None
    log.change()
    second = checkpoints.write(NOW + INTERVAL)
    assert second is not None
    assert (second.number, second.base, set(second.coverage.heads)) == (2, False, {MAIN})
    assert second.previous is not None
    with database.read() as connection:
        assert folded(stored.newest_first(connection)).heads == log.heads()
        kept = stored.newest(connection)
    assert kept is not None
    assert Checkpoint.decode(kept.body) == second
    assert problems(database, keys) == []


def test_an_idle_server_tells_that_it_lives(checkpoints: Checkpoints) -> None:
    assert checkpoints.write(NOW) is not None
    assert checkpoints.write(NOW + HEARTBEAT - 1) is None
    alive = checkpoints.write(NOW + HEARTBEAT)
    assert alive is not None
    assert alive.coverage.heads == {}


def test_it_is_tended_every_minute(database: Database, checkpoints: Checkpoints, log: Log) -> None:
    clock = Clock()
    assert list(checkpoints.tend(clock)) == [None]
    log.change()
    assert list(checkpoints.tend(clock)) == []
    clock.advance_to(INTERVAL)
    assert list(checkpoints.tend(clock)) == [None]
    with database.read() as connection:
        assert (newest := stored.newest(connection)) is not None
    assert newest.number == 2


def test_now_and_then_one_names_everything(
    database: Database, log: Log, checkpoints: Checkpoints, keys: SigningKeys
) -> None:
    log.append()
    bases = []
    for number in range(258):
        log.change()
        made = checkpoints.write(NOW + number)
        assert made is not None
        bases += [made.number] if made.base else []
    assert bases == [1, 256]
    assert problems(database, keys) == []
    fresh = Checkpoints(database, log.journals, keys)
    assert fresh.write(NOW + 259) is None
    with database.read() as connection:
        assert len(list(stored.newest_first(connection))) == len(list(stored.oldest_first(connection))) == 258


def test_two_hosts_never_write_the_same_number(database: Database, log: Log, keys: SigningKeys) -> None:
    hosts = [Checkpoints(database, log.journals, keys) for _ in range(3)]

    def work(host: Checkpoints) -> None:
        for number in range(10):
            log.change()
            host.write(NOW + number)

    threads = [threading.Thread(target=work, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems(database, keys) == []
    assert all(host.warning() is None for host in hosts)
    with database.read() as connection:
        numbers = [one.number for one in stored.oldest_first(connection)]
        assert folded(stored.newest_first(connection)).heads[MAIN].seq <= 30
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 10


def test_a_chain_never_gets_shorter(
    database: Database, log: Log, checkpoints: Checkpoints, keys: SigningKeys
) -> None:
    for _ in range(3):
        log.change()
    checkpoints.write(NOW)
    was = log.heads()[MAIN]
    with database.write() as tx:
        tx.connection.execute(delete(audit_events).where(audit_events.c.seq > 1))
        tx.connection.execute(update(audit_writers).values(seq=1))
    for later in (1, 2):
        fresh = Checkpoints(database, log.journals, keys)
        fresh.write(NOW + HEARTBEAT * later)
        made = fresh.rebase(NOW + HEARTBEAT * later, {}, ())
        assert made.coverage.heads[MAIN] == was


def test_of_a_damaged_segment_the_head_that_was_known_stays(
    database: Database, log: Log, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    if database.engine.dialect.name != "sqlite":
        pytest.skip("segments are embedded")
    log.append(3)
    checkpoints.write(NOW)
    was = log.heads()
    (segment,) = segment_files(tmp_path)
    log.close()
    segment.write_bytes(b"\xff" * 9_000)
    log.change()
    made = checkpoints.write(NOW + 1)
    assert made is not None
    assert set(made.coverage.heads) == {MAIN}
    assert checkpoints.rebase(NOW + 2, {}, ()).coverage.heads == {**was, **made.coverage.heads}
    assert str(segment) in (checkpoints.warning() or "")


def test_pruning(database: Database, log: Log, checkpoints: Checkpoints, keys: SigningKeys) -> None:
    log.append(3)
    log.change()
    (worker,) = log.heads().keys() - {MAIN}
    checkpoints.write(NOW)
    log.change()
    checkpoints.write(NOW + 1)
    pruned = {MAIN: log.heads()[MAIN]}
    log.change()
    made = checkpoints.rebase(NOW + 2, pruned, [worker])
    assert (made.number, made.base, made.gone) == (3, True, (worker,))
    assert made.coverage.heads == {MAIN: log.heads()[MAIN]}
    assert made.coverage.pruned == pruned | {worker: log.heads()[worker]}
    assert made.coverage.since == NOW
    with database.read() as connection:
        assert [one.number for one in stored.oldest_first(connection)] == [3]
    assert problems(database, keys) == []
    log.change()
    following = Checkpoints(database, log.journals, keys).write(NOW + 3)
    assert following is not None
    assert (following.number, set(following.coverage.heads)) == (4, {MAIN})
    with database.read() as connection:
        assert folded(stored.newest_first(connection)).pruned == made.coverage.pruned
    # What was signed as pruned stays so, whatever is said later.
    again = checkpoints.rebase(NOW + 4, {MAIN: Head(1, b"x" * 32)}, ())
    assert again.coverage.pruned == made.coverage.pruned


def test_what_is_gone_is_forgotten_at_the_next_pruning(
    database: Database, log: Log, checkpoints: Checkpoints, keys: SigningKeys
) -> None:
    log.append(3)
    log.change()
    log.change(is_data=True)
    (worker,) = {one for one in log.heads() if not one.startswith((MAIN, "objects"))}
    checkpoints.rebase(NOW, {worker: log.heads()[worker]}, [worker])
    log.remove(worker)
    assert worker not in checkpoints.rebase(NOW + 1, {}, ()).coverage.pruned
    assert problems(database, keys) == []


def test_a_writer_that_goes_on_is_named_again(
    database: Database, log: Log, checkpoints: Checkpoints, keys: SigningKeys
) -> None:
    log.append(3)
    (worker,) = log.heads()
    end = log.heads()
    checkpoints.rebase(NOW, end, [worker])
    assert checkpoints.write(NOW + 1) is None
    log.append()
    made = checkpoints.write(NOW + 2)
    assert made is not None
    assert made.coverage.heads == log.heads()
    with database.read() as connection:
        assert folded(stored.newest_first(connection)).pruned == end
    assert problems(database, keys) == []


@pytest.mark.parametrize("change", ["body", "signature", "number"])
def test_what_does_not_verify_is_not_forgotten(
    database: Database, log: Log, checkpoints: Checkpoints, keys: SigningKeys, change: str
) -> None:
    for number in range(3):
        log.change()
        checkpoints.write(NOW + number)
    columns = audit_checkpoints.c
    values: dict[str, Any] = {"body": "{}", "signature": b"x", "number": 9}
    with database.write() as tx:
        tx.connection.execute(
            update(audit_checkpoints).where(columns.number == 2).values({change: values[change]})
        )
    for one in (checkpoints, Checkpoints(database, log.journals, keys)):
        with pytest.raises(OperatorError, match="audit verify"):
            one.rebase(NOW + 5, {}, ())
    with database.read() as connection:
        assert len(connection.execute(select(columns.number)).all()) == 3


def test_what_vanishes_leaves_a_gap(
    database: Database, log: Log, checkpoints: Checkpoints, keys: SigningKeys
) -> None:
    for number in range(3):
        log.change()
        checkpoints.write(NOW + number)
    with database.write() as tx:
        tx.connection.execute(delete(audit_checkpoints).where(audit_checkpoints.c.number > 1))
    assert checkpoints.warning() is None
    log.change()
    with pytest.raises(OperatorError, match="audit verify"):
        checkpoints.rebase(NOW + 3, {}, ())
    made = checkpoints.write(NOW + 3)
    assert made is not None
    assert made.number == 4
    assert checkpoints.warning() is not None
    assert problems(database, keys) == ["checkpoints 2 to 3 are missing"]


def test_the_whole_is_delivered(log: Log, checkpoints: Checkpoints, keys: SigningKeys) -> None:
    assert checkpoints.whole(NOW) is None
    log.append(2)
    checkpoints.write(NOW)
    log.change()
    checkpoints.write(NOW + 1)
    whole = checkpoints.whole(NOW + 2)
    assert whole is not None
    complete = opened(whole, keys)
    assert (complete.number, complete.time, complete.coverage.heads) == (2, NOW + 2, log.heads())
    trail = Trail("t", "111122223333", "us-east-1", "all", "bucket", NOW)
    made = delivered(whole, trail, "eu-west-1", NOW)
    assert made.key == (
        "AWSLogs/111122223333/CloudTrail-Checkpoint/eu-west-1/2026/09/21/"
        "111122223333_CloudTrail-Checkpoint_eu-west-1_all_20260921T141320Z.json.gz"
    )
    assert gzip.decompress(made.body) == whole
    assert made == delivered(whole, trail, "eu-west-1", NOW)


@pytest.mark.parametrize(("change", "what"), [
    ({"signature": "00"}, "signature is not right"), ({"signature": "x"}, "not a complete checkpoint"),
    ({"body": "{}"}, "signature is not right"), ({"fingerprint": "0" * 32}, "not this server's"),
    ({"signature": None}, "not a complete checkpoint"),
], ids=["signature", "no hex", "body", "key", "none"])  # fmt: skip
def test_a_whole_that_was_changed(
    log: Log, checkpoints: Checkpoints, keys: SigningKeys, change: dict[str, str], what: str
) -> None:
    checkpoints.write(NOW)
    whole = checkpoints.whole(NOW)
    assert whole is not None
    with pytest.raises(ValueError, match=what):
        opened(json.dumps(json.loads(whole) | change).encode(), keys)


def test_a_checkpoint_is_no_complete_one(
    database: Database, checkpoints: Checkpoints, keys: SigningKeys
) -> None:
    checkpoints.write(NOW)
    with database.read() as connection:
        kept = stored.newest(connection)
    assert kept is not None
    document = {"body": kept.body, "fingerprint": kept.fingerprint, "signature": kept.signature.hex()}
    with pytest.raises(ValueError, match="signature is not right"):
        opened(json.dumps(document).encode(), keys)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"number": 1}', "null"])
def test_what_is_no_checkpoint(body: str) -> None:
    for kind in (Checkpoint, Complete):
        with pytest.raises(ValueError, match=r"checkpoint|Expecting value"):
            kind.decode(body)
