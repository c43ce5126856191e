"""Each operation that changes something meets failures of the database at each step.

A change and its record are both there or both not; the answer says that it failed; and the next try succeeds.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore.credentials import Credentials
from sqlalchemy import select

from kms_server.operations.call import Operation, Plane
from kms_server.server.audit_trail import journals
from kms_server.storage.audit_tables import audit_events
from tests.faults.faulty_sqlite import At, Faults
from tests.unit.operations import query_service as query
from tests.unit.operations.record_calls import Done, ask, body_of, recorded, responded
from tests.unit.operations.record_requests import NEVER, each
from tests.unit.operations.service import Service

WHOLE = os.environ.get("KMS_TEST_SOAK") == "1"
# Every operation has as many statements, and none has so many.
FEWEST, MOST = 6, 200
_CHANCE = random.Random(20261122)


class Scene(NamedTuple):
    """A service on a database that fails, and somebody who may do everything."""

    service: Service
    faults: Faults
    user: Credentials


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    service = Service(tmp_path / "data")
    service._worker.jobs.stop()  # nobody else changes anything
    user = query.user(service, "all", query.allow("*"))[1]
    yield Scene(service, Faults(service.database), user)
    service.close()


def stored(scene: Scene) -> tuple[dict[str, list[tuple[Any, ...]]], int]:
    """All that clients store, and how many changes are recorded."""
    with scene.service.database.read() as connection:
        changes = len(connection.execute(select(audit_events.c.event_id)).all())
    return scene.service.everything(), changes


def failing(scene: Scene, operation: Operation, body: bytes, at: At, number: int = 0) -> Done | None:
    """A call that meets a fault; None when it came to its end before."""
    scene.faults.arm(at, number)
    response = responded(scene.service, operation, body, by=scene.user)
    if not scene.faults.disarm():
        return None
    done = recorded(scene.service, response)
    assert done.status == 500, (operation.name, at, number, done.body)
    return done


def sweep(scene: Scene, operation: Operation, body: bytes) -> bool:
    """Let a call fail at its commit and at statements, all of them or one by chance; whether it came to its end.

    What fails changes nothing, and has one record at most: before anybody is known to have called there is none.
    """
    before = stored(scene)
    numbers = range(MOST) if WHOLE else (_CHANCE.randrange(FEWEST),)
    for at, number in ((At.COMMIT, 0), *((At.STATEMENT, number) for number in numbers)):
        done = failing(scene, operation, body, at, number)
        if done is None:
            assert at is At.STATEMENT, operation.name
            return True
        assert stored(scene) == before, (operation.name, at, number)
        assert {record["errorCode"] for record in done.records} <= {"InternalFailure", "KMSInternalException"}
        assert len(done.records) <= 1
    return False


@pytest.mark.timeout(3_600 if WHOLE else 240)
def test_failures_at_each_step_of_each_change(scene: Scene) -> None:
    asked, lost = 0, 0
    for operation, members in each(scene.service):
        body = body_of(operation, members)
        if operation.plane is not Plane.WRITE or operation.name in NEVER:
            ask(scene.service, operation, body, by=scene.user)
            continue
        asked += 1
        if sweep(scene, operation, body):
            assert WHOLE, operation.name
            continue
        if asked % 2:
            before = stored(scene)
            done = failing(scene, operation, body, At.AFTER_COMMIT)
            assert done is not None
            assert len(done.records) >= 1
            assert not any(record.get("errorCode") for record in done.records), operation.name
            assert stored(scene)[1] > before[1]
            lost += 1
        else:
            again = ask(scene.service, operation, body, by=scene.user)
            assert again.status == 200, (operation.name, again.body)
    assert asked > 70
    assert WHOLE or lost > 30
    ids = Counter(
        entry.row.event_id
        for journal in journals(scene.service._worker.state)
        for writer, head in journal.heads().items()
        for entry in journal.after(writer, 0, head.seq)
    )
    assert max(ids.values()) == 1
