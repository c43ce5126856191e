"""Each change of the log, of its checkpoints and of its keys is found by `audit verify`, and named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import text

from kms_server.audit import chain, marks
from kms_server.audit.chain import ChainKey, extended
from kms_server.audit.checkpoint import signed_bytes
from kms_server.audit.record import Row
from kms_server.audit.sealing import seal
from kms_server.audit.segments import segment_files
from kms_server.server.audit_proof import checkpoints_of
from kms_server.server.audit_trail import journals
from kms_server.storage.audit_writers import START
from tests.audit_log_copies import LogCopy, errors, filled

_OTHER = {
    "event_id": "'018f0000-0000-7000-8000-000000000000'", "account": "'999999999999'", "region": "'us-east-2'",
    "event_name": "'ListKeys'", "event_source": "'x'", "read_only": "NOT read_only", "resource_1": "'arn:x'",
    "resource_2": "'arn:x'", "error_code": "'AccessDenied'", "username": "'somebody'", "access_key_id": "'AKIB'",
}  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LogCopy:
    """A log as it was written."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return filled(tmp_path_factory.mktemp("log"), postgres)


@pytest.fixture
def log(whole: LogCopy) -> LogCopy:
    """A copy of it, to be changed."""
    return whole.copy()


@pytest.fixture(params=["main", "worker"])
def writer(request: pytest.FixtureRequest, log: LogCopy) -> str:
    """A chain of mutations, or the longest of calls that change nothing."""
    lengths = log.writers()
    return "main" if request.param == "main" else max(lengths.keys() - {"main"}, key=lambda one: lengths[one])


def told(log: LogCopy) -> str:
    """What is found, as text."""
    return "\n".join(f"{one.where}: {one.what}" for one in log.errors())


def test_a_log_that_a_former_program_began_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new, former = chain._FORMS
    log = LogCopy.new(tmp_path, None)
    for forms in ((former,), (new, former), (former,)):
        monkeypatch.setattr(chain, "_FORMS", forms)
        with log.service() as service:
            service.ok("Encrypt", KeyId=service.key()["Arn"], Plaintext=b"x")
    assert "link" in told(log)
    monkeypatch.undo()
    assert log.errors() == []


def test_an_untouched_log_is_clean(whole: LogCopy) -> None:
    assert whole.errors() == []
    lengths = whole.writers()
    assert len(lengths) >= 3
    assert lengths.pop("main") >= 3
    assert max(lengths.values()) >= 3


def test_rows_that_belong_to_no_chain_are_from_before(log: LogCopy) -> None:
    forged = _first_row(log, "main")._replace(event_id="018f0000-0000-7000-8000-000000000000")
    _insert(log, forged)
    assert log.errors() == []


@pytest.mark.parametrize("change", [
    "UPDATE audit_events SET record = replace(record, 'blue', 'grey'), seq = seq WHERE writer = :w",
    "UPDATE audit_events SET record = replace(record, 'us-east-1', 'us-east-2') WHERE writer = :w AND seq = 2",
], ids=["a context", "a Region"])  # fmt: skip
def test_a_changed_record(log: LogCopy, writer: str, change: str) -> None:
    if "blue" in change and writer == "main":
        pytest.skip("no encryption context there")
    log.sql(writer, change)
    assert f"writer {writer}, row" in told(log)
    assert "the link of these rows is not that of their records" in told(log)


@pytest.mark.parametrize("columns", [["region"], ["resource_1"], ["event_id"], list(_OTHER)], ids=",".join)
def test_changed_columns(log: LogCopy, writer: str, columns: list[str]) -> None:
    changes = ", ".join(f"{name} = {_OTHER[name]}" for name in columns)
    log.sql(writer, f"UPDATE audit_events SET {changes} WHERE writer = :w AND seq = 2")
    assert told(log) == f"writer {writer}, row 2: columns do not agree with the record: {', '.join(columns)}"


def test_a_deleted_row(log: LogCopy, writer: str) -> None:
    log.sql(writer, "DELETE FROM audit_events WHERE writer = :w AND seq = 2")
    assert f"writer {writer}, row 2: rows are missing" in told(log)


def test_deleted_first_rows(log: LogCopy, writer: str) -> None:
    log.sql(writer, "DELETE FROM audit_events WHERE writer = :w AND seq <= 2")
    assert f"writer {writer}, rows 1 to 2: rows are missing" in told(log)


def test_swapped_rows(log: LogCopy, writer: str) -> None:
    _swap(log, writer)
    assert f"writer {writer}, row" in told(log)
    assert "the link of these rows is not that of their records" in told(log)


def test_a_renumbered_chain(log: LogCopy, writer: str) -> None:
    log.sql(writer, "DELETE FROM audit_events WHERE writer = :w AND seq = 2",
            "UPDATE audit_events SET seq = -seq WHERE writer = :w AND seq > 2",
            "UPDATE audit_events SET seq = -seq - 1 WHERE writer = :w AND seq < 0")  # fmt: skip
    assert f"writer {writer}" in told(log)


def test_an_added_row(log: LogCopy, writer: str) -> None:
    last = log.writers()[writer]
    names = ", ".join(Row._fields[1:])
    log.sql(
        writer,
        f"INSERT INTO audit_events (event_id, {names}, writer, seq) SELECT '018f0000-0000-7000-8000-000000000000',"
        f" {names}, writer, {last + 1} FROM audit_events WHERE writer = :w AND seq = 1",
    )
    assert f"writer {writer}, row {last + 1}" in told(log)


def test_a_removed_link(log: LogCopy, writer: str) -> None:
    log.sql(
        writer, f"UPDATE audit_events SET link = NULL WHERE writer = :w AND seq = {_ends(log, writer)[1]}"
    )
    assert f"writer {writer}, rows" in told(log)
    assert "the link of these rows is not that of their records" in told(log)


def test_a_dropped_tail(log: LogCopy, writer: str) -> None:
    last = _drop_tail(log, writer)
    assert f"writer {writer}, row" in told(log)
    assert f" {last + 1}" in told(log)
    assert "the newest rows are missing: checkpoint" in told(log)


def test_a_dropped_tail_whose_head_stays(log: LogCopy) -> None:
    last = log.writers()["main"]
    log.sql("main", f"DELETE FROM audit_events WHERE writer = :w AND seq = {last}")
    assert f"writer main, row {last}: the newest rows are missing" in told(log)


def test_a_dropped_writer(log: LogCopy, writer: str) -> None:
    segment, last = log.segment(writer), log.writers()[writer]
    if segment is not None:
        segment.unlink()
    else:
        log.sql(writer, "DELETE FROM audit_events WHERE writer = :w")
        log.main("DELETE FROM audit_writers WHERE writer = :w", w=writer)
    assert told(log).startswith(f"writer {writer}, rows 1 to {last}: the whole writer is missing: checkpoint")


def test_a_damaged_segment(log: LogCopy) -> None:
    if log.postgres is not None:
        pytest.skip("segments are embedded")
    (segment, *_) = filter(None, map(log.segment, sorted(log.writers())))
    segment.write_bytes(bytes(100) + segment.read_bytes()[100:])
    assert f"writer {segment.stem}" in told(log)
    assert "cannot be read" in told(log)


@pytest.mark.parametrize("right", [False, True], ids=["wrong key", "right key"])
def test_a_recomputed_chain(log: LogCopy, writer: str, right: bool) -> None:
    with log.opened() as state:
        key = state.chain_key if right else ChainKey(bytes(32))
        rows = [entry.row for entry in journals(state)[0].after(writer, 0, 10**6)]
    record = json.loads(rows[1].record)
    record["sourceIPAddress"] = "203.0.113.9"
    rows[1] = rows[1]._replace(record=json.dumps(record))
    made = extended(key, writer, START, rows)
    changed = rows[1].record.replace("'", "''")
    blob = "X'{}'" if log.segment(writer) or log.postgres is None else "'\\x{}'"
    log.sql(
        writer,
        "UPDATE audit_events SET link = NULL WHERE writer = :w",
        f"UPDATE audit_events SET record = '{changed}' WHERE writer = :w AND seq = 2".replace('":', '"\\:')
        if log.segment(writer) is None else f"UPDATE audit_events SET record = '{changed}' WHERE writer = :w AND seq = 2",
        f"UPDATE audit_events SET link = {blob.format(made.head.link.hex())} WHERE writer = :w AND seq = {made.head.seq}",
    )  # fmt: skip
    log.main("UPDATE audit_writers SET link = :link WHERE writer = :w", link=made.head.link, w=writer)
    expected = "the chain was written anew: checkpoint" if right else "the link of these rows is not that of"
    assert expected in told(log)
    assert ("not that of their records" in told(log)) is not right


def test_a_hidden_chain(log: LogCopy, writer: str) -> None:
    log.sql(writer, "UPDATE audit_events SET writer = NULL, seq = NULL, link = NULL WHERE writer = :w")
    log.main("DELETE FROM audit_writers WHERE writer = :w", w=writer)
    assert f"writer {writer}, rows 1 to" in told(log)


def test_a_row_that_poses_as_one_from_before(log: LogCopy) -> None:
    forged = _first_row(log, "main")._replace(event_id="fff00000-0000-7000-8000-000000000000")
    _insert(log, forged)
    assert "it is in no chain, and dated after the first checkpoint" in told(log)


def test_an_event_that_stands_there_twice(log: LogCopy) -> None:
    (worker, *_) = sorted(log.writers().keys() - {"main"})
    known = _first_row(log, "main")
    if log.segment(worker) is None:
        pytest.skip("the table's primary key holds it")
    log.sql(worker, f"UPDATE audit_events SET event_id = '{known.event_id}' WHERE writer = :w AND seq = 1")
    assert f"event {known.event_id}: it stands in the log more than once" in told(log)


def test_pruning_that_nobody_has_signed(log: LogCopy) -> None:
    (found,) = log.main("SELECT link FROM audit_events WHERE writer = 'main' AND seq = 2")
    log.main("DELETE FROM audit_events WHERE writer = 'main' AND seq <= 2")
    log.main(
        "UPDATE audit_writers SET pruned_seq = 2, pruned_link = :link WHERE writer = 'main'", link=found.link
    )
    assert "writer main, rows 1 to 2: they are said to be pruned, and no checkpoint says so" in told(log)


@pytest.mark.parametrize(("change", "what"), [
    ("DELETE FROM audit_checkpoints WHERE number = 2", "missing"),
    ("DELETE FROM audit_checkpoints WHERE number = 1", "missing"),
    ("UPDATE audit_checkpoints SET body = replace(body, '\"number\"', ' \"number\"') WHERE number = 2", "signature"),
    ("UPDATE audit_checkpoints SET number = 999 WHERE number = 2", "was signed as number 2"),
    ("UPDATE audit_checkpoints SET time = time + 1 WHERE number = 2", "was signed as number 2"),
    ("UPDATE audit_checkpoints SET body = (SELECT body FROM audit_checkpoints WHERE number = 1) WHERE number = 2",
     "signature"),
    ("DELETE FROM signing_keys", "is not this server's"),
    ("UPDATE signing_keys SET ends_at = ends_at + 1", "is not this server's"),
], ids=["a gap", "no base", "edited", "renumbered", "dated anew", "replaced", "no key", "longer"])  # fmt: skip
def test_changed_checkpoints(log: LogCopy, change: str, what: str) -> None:
    with log.opened() as state:
        made = checkpoints_of(state).write(state.clock.now() + 7_200)
    assert made is not None
    assert made.number >= 3
    assert log.errors() == []
    log.main(change)
    assert "checkpoint" in told(log)
    assert what in told(log)


def test_no_checkpoints(log: LogCopy) -> None:
    log.main("DELETE FROM audit_checkpoints")
    assert told(log) == ""
    with log.opened() as state:
        state.clock.advance_to(600)
        (found,) = errors(state)
    assert found.what == "there are none: nothing tells whether the newest rows were removed"


def test_a_foreign_signing_key(log: LogCopy) -> None:
    private = rsa.generate_private_key(65537, 2048)
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    (newest,) = log.main("SELECT number, body FROM audit_checkpoints ORDER BY number DESC LIMIT 1")
    signature = private.sign(signed_bytes(newest.body), PKCS1v15(), SHA256())
    log.main("UPDATE audit_checkpoints SET signature = :s WHERE number = :n", s=signature, n=newest.number)
    assert f"checkpoint {newest.number}: its signature is not right" in told(log)
    log.main("UPDATE signing_keys SET public_key = :der", der=der)
    assert "which has signed it, is not this server's" in told(log)


def test_checkpoints_that_vanish_under_a_server(log: LogCopy) -> None:
    with log.opened() as state:
        checkpoints, now = checkpoints_of(state), state.clock.now()
        written = checkpoints.write(now + 7_200)
        assert written is not None
        assert checkpoints.warning() is None
        log.main("DELETE FROM audit_checkpoints WHERE number = :n", n=written.number)
        assert errors(state) == []
        checkpoints.write(now + 14_400)
        assert checkpoints.warning() is not None
        assert f"checkpoints {written.number} to {written.number} are missing" in told(log)


def test_a_server_that_writes_meanwhile(log: LogCopy) -> None:
    with log.service() as service:
        key = service.key()["Arn"]
        for _ in range(4):
            for _ in range(10):
                service.ok("Encrypt", KeyId=key, Plaintext=b"x")
            assert log.errors() == []


def _first_row(log: LogCopy, writer: str) -> Row:
    with log.opened() as state:
        return next(iter(list(journals(state)[0].after(writer, 0, 1)))).row


def _insert(log: LogCopy, row: Row) -> None:
    """Add a row that is in no chain."""
    names = ", ".join(Row._fields)
    marks = ", ".join(f":{name}" for name in Row._fields)
    with log.opened() as state, state.database.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO audit_events ({names}) VALUES ({marks})"), row._asdict())


def _swap(log: LogCopy, writer: str) -> None:
    """Have two rows change places, all but their numbers and links."""
    swapped = ", ".join(
        f"{name} = (SELECT {name} FROM held WHERE held.seq = 5 - audit_events.seq)"
        for name in Row._fields[1:]
    )
    log.sql(
        writer,
        "CREATE TABLE held AS SELECT * FROM audit_events WHERE writer = :w AND seq IN (2, 3)"
        if log.segment(writer) else f"CREATE TABLE held AS SELECT * FROM audit_events WHERE writer = '{writer}' AND seq IN (2, 3)",
        f"UPDATE audit_events SET {swapped}, event_id = 'x' || substr(event_id, 2) WHERE writer = :w AND seq IN (2, 3)",
        "UPDATE audit_events SET event_id = (SELECT event_id FROM held WHERE held.seq = 5 - audit_events.seq)"
        " WHERE writer = :w AND seq IN (2, 3)",
        "DROP TABLE held",
    )  # fmt: skip


def _ends(log: LogCopy, writer: str) -> list[int]:
    """The last rows of a chain's batches."""
    with log.opened() as state:
        return [entry.seq for entry in journals(state)[0].after(writer, 0, 10**6) if entry.link]


def _drop_tail(log: LogCopy, writer: str) -> int:
    """Remove the newest batch, and have the head say the one before; the row that is the newest then."""
    ends = _ends(log, writer)
    log.sql(writer, f"DELETE FROM audit_events WHERE writer = :w AND seq > {ends[-2]}")
    log.main(
        "UPDATE audit_writers SET seq = :seq, link ="
        " (SELECT link FROM audit_events WHERE audit_events.writer = :w AND audit_events.seq = :seq)"
        " WHERE writer = :w", w=writer, seq=ends[-2],
    )  # fmt: skip
    return ends[-2]


@pytest.mark.parametrize("change", [{"values": bytes(64)}, {"first": "f" * 36}], ids=["values", "ends"])
def test_a_mark_that_hides_rows_from_lookups(log: LogCopy, change: dict[str, Any]) -> None:
    if log.postgres is not None:
        pytest.skip("segments are embedded")
    seal(log.settings.audit_dir)
    path, mark = next(
        (one, found) for one in segment_files(log.settings.audit_dir) if (found := marks.read(one))
    )
    assert log.errors() == []
    marks.write(path, replace(mark, **change))
    assert told(log) == f"writer {path.stem}: its mark does not fit to its rows: lookups may pass over them"
