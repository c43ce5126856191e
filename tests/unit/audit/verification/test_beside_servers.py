"""Verification beside servers: what is appended, sealed and pruned meanwhile, and how long that takes in memory."""

from collections.abc import Collection, Iterator

import pytest

from kms_server.audit.sealing import seal
from kms_server.audit.verification.findings import Finding
from kms_server.audit.verification.log import LogVerification
from kms_server.server.audit_proof import checkpoints_of, log_verification
from kms_server.server.audit_trail import journals
from kms_server.server.state import State
from kms_server.storage.audit_writers import Head
from tests.audit_log_copies import LogCopy, filled


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LogCopy:
    """A log as it was written."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return filled(tmp_path_factory.mktemp("log"), postgres)


@pytest.fixture
def log(whole: LogCopy) -> LogCopy:
    """A copy of it."""
    return whole.copy()


@pytest.fixture
def state(log: LogCopy) -> Iterator[State]:
    """What stands in it."""
    with log.opened() as opened:
        yield opened


def begun(state: State) -> LogVerification:
    looking = log_verification(state)
    assert looking.begin({}) == looking.tally().rows > 0
    return looking


def found(looking: LogVerification, state: State) -> list[Finding]:
    return list(looking.run(state.clock.now(), lambda _: None))


def ends(state: State, writer: str) -> list[Head]:
    """The ends of a chain's batches."""
    entries = journals(state)[0].after(writer, 0, 10**6)
    return [Head(entry.seq, entry.link) for entry in entries if entry.link is not None]


def prune_rows(log: LogCopy, writer: str, to: Head) -> None:
    """What pruning does to a table, after its checkpoint."""
    log.main("DELETE FROM audit_events WHERE writer = :w AND seq <= :seq", w=writer, seq=to.seq)
    log.main(
        "UPDATE audit_writers SET pruned_seq = :seq, pruned_link = :link WHERE writer = :w",
        w=writer, seq=to.seq, link=to.link,
    )  # fmt: skip


def prune(log: LogCopy, state: State, gone: Collection[str]) -> None:
    """Prune two batches of one chain, and others wholly."""
    second = ends(state, "main")[1]
    checkpoints_of(state).rebase(state.clock.now(), {"main": second}, gone)
    assert log.errors() == []
    prune_rows(log, "main", second)
    for writer in gone:
        drop(log, writer)


def drop(log: LogCopy, writer: str) -> None:
    segment = log.segment(writer)
    if segment is not None:
        segment.unlink()
    else:
        log.main("DELETE FROM audit_events WHERE writer = :w", w=writer)
        log.main("DELETE FROM audit_writers WHERE writer = :w", w=writer)


def workers(state: State) -> list[str]:
    return sorted(journals(state)[0].heads().keys() - {"main"})


def test_what_is_appended_meanwhile(log: LogCopy, state: State) -> None:
    looking = begun(state)
    with log.service() as service:
        key = service.key()["Arn"]
        for _ in range(20):
            service.ok("Encrypt", KeyId=key, Plaintext=b"x")
    assert found(looking, state) == []


def test_what_is_sealed_meanwhile(state: State) -> None:
    looking = begun(state)
    seal(state.settings.audit_dir)
    assert found(looking, state) == []


def test_what_is_pruned_before(log: LogCopy, state: State) -> None:
    prune(log, state, workers(state)[:1])
    assert log.errors() == []
    with log.service() as service:
        service.key()
    assert log.errors() == []


def test_a_checkpoint_between_the_stub_and_the_removal(log: LogCopy, state: State) -> None:
    gone = workers(state)[:2]
    checkpoints_of(state).rebase(state.clock.now(), {}, gone)
    with log.service() as service:
        service.key()
    assert log.errors() == []
    for writer in gone:
        drop(log, writer)
    assert log.errors() == []


def test_what_is_pruned_meanwhile(log: LogCopy, state: State) -> None:
    looking = begun(state)
    prune(log, state, workers(state)[:2])
    assert found(looking, state) == []


def test_what_is_pruned_twice_meanwhile(log: LogCopy, state: State) -> None:
    third = ends(state, "main")[2]
    prune(log, state, ())
    looking = begun(state)
    checkpoints_of(state).rebase(state.clock.now(), {"main": third}, ())
    prune_rows(log, "main", third)
    assert found(looking, state) == []


def test_a_writer_of_which_all_was_pruned_goes_on(log: LogCopy, state: State) -> None:
    last = ends(state, "main")[-1]
    checkpoints_of(state).rebase(state.clock.now(), {"main": last}, ())
    prune_rows(log, "main", last)
    assert log.errors() == []
    with log.service() as service:
        service.key()
    assert log.errors() == []


def test_what_is_removed_meanwhile_is_found(log: LogCopy, state: State) -> None:
    looking = begun(state)
    (writer, *_) = workers(state)
    drop(log, writer)
    assert any(one.where.startswith(f"writer {writer}") for one in found(looking, state))


def test_more_than_was_signed_is_pruned(log: LogCopy, state: State) -> None:
    _, second, third, *_ = ends(state, "main")
    checkpoints_of(state).rebase(state.clock.now(), {"main": second}, ())
    prune_rows(log, "main", third)
    (one,) = [one for one in log.errors() if "pruned" in one.what]
    assert one.where == f"writer main, rows 1 to {third.seq}"


def test_a_pruned_row_that_comes_back(log: LogCopy, state: State) -> None:
    prune(log, state, ())
    log.main(
        "INSERT INTO audit_events SELECT '018f0000-0000-7000-8000-000000000000', account, region, event_name, event_source,"
        " read_only, username, access_key_id, resource_1, resource_2, error_code, record, writer, 1, NULL"
        " FROM audit_events WHERE writer = 'main' AND seq = (SELECT max(seq) FROM audit_events WHERE writer = 'main')"
    )
    assert any("said to be pruned" in one.what for one in log.errors())


def test_values_of_other_kinds(log: LogCopy) -> None:
    if log.postgres is not None:
        pytest.skip("PostgreSQL keeps to the types of columns")
    log.main("UPDATE audit_events SET seq = 'two' WHERE writer = 'main' AND seq = 2")
    log.main("UPDATE audit_events SET record = 5 WHERE writer = 'main' AND seq = 3")
    assert any("writer main" in one.where for one in log.errors())
    for writer in sorted(log.writers().keys() - {"main"}):
        log.sql(writer, "UPDATE audit_events SET link = 'x' WHERE writer = :w AND link IS NOT NULL")
        assert any(writer in one.where for one in log.errors())
