"""An older copy in place of the whole log: nothing in it is wrong, and only a checkpoint kept elsewhere tells."""

import pytest

from kms_server.server.audit_proof import checkpoints_of
from tests.audit_delivery import Bucket, Delivering
from tests.audit_log_copies import LogCopy, filled


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def older(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LogCopy:
    """A log with a trail."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    made = filled(tmp_path_factory.mktemp("log"), postgres)
    with made.opened() as state:
        Delivering.begin(state)
    return made


@pytest.fixture(scope="module")
def bucket(older: LogCopy) -> Bucket:
    """What was delivered after the copy was made: a checkpoint of a longer log."""
    newer = older.copy()
    with newer.service() as service:
        service.ok("DisableKey", KeyId=service.key()["Arn"])
    with newer.opened() as state:
        delivering = Delivering.resume(state)
        delivering.checkpoint()
    assert newer.errors(lambda _: delivering.bucket) == []
    return delivering.bucket


def told(log: LogCopy, bucket: Bucket) -> str:
    return "\n".join(one.what for one in log.errors(lambda _: bucket))


def test_without_a_delivered_checkpoint_nothing_tells(older: LogCopy) -> None:
    assert older.copy().errors() == []


def test_a_delivered_checkpoint_tells(older: LogCopy, bucket: Bucket) -> None:
    (newest,) = older.main("SELECT max(number) AS number FROM audit_checkpoints")
    found = told(older.copy(), bucket)
    assert f"its newest is {newest.number}: it was rolled back" in found
    assert "the newest rows are missing: the delivered the-bucket/logs/AWSLogs/" in found


def test_a_server_that_went_on_with_the_older_copy(older: LogCopy, bucket: Bucket) -> None:
    log = older.copy()
    for _ in range(3):
        with log.service() as service:
            service.key()
    with log.opened() as state:
        assert (made := checkpoints_of(state).write(state.clock.now() + 7_200)) is not None
        assert made.number > 3
    assert log.errors() == []
    assert "its log was written anew" in told(log, bucket)


def test_the_tail_dropped_with_its_checkpoints(older: LogCopy, bucket: Bucket) -> None:
    log = older.copy()
    (newest,) = log.main("SELECT max(seq) AS seq FROM audit_events WHERE writer = 'main'")
    log.main("DELETE FROM audit_events WHERE writer = 'main' AND seq = :seq", seq=newest.seq)
    log.main(
        "UPDATE audit_writers SET seq = :seq, link = (SELECT link FROM audit_events WHERE"
        " audit_events.writer = 'main' AND audit_events.seq = :seq) WHERE writer = 'main'", seq=newest.seq - 1,
    )  # fmt: skip
    log.main("DELETE FROM audit_checkpoints WHERE number > 1")
    assert log.errors() == []
    assert "it was rolled back" in told(log, bucket)
