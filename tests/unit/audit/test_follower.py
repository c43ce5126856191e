"""Following the log: nothing twice, nothing passed over, whatever commits when."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_server.audit.follower import Follower, heads
from kms_server.audit.journal import Journal
from kms_server.audit.ledger import MAIN, Ledger
from kms_server.audit.record import Row
from kms_server.audit.sealing import seal
from kms_server.audit.segment_log import SegmentLog
from kms_server.config import Limits
from kms_server.storage.audit_tables import audit_data_events, audit_events
from kms_server.storage.database import Database
from tests.unit.audit.audit_rows import CHAIN_KEY, row
from tests.unit.audit.test_record import event


class Logs:
    """Two segments at a time beside the tables."""

    def __init__(self, database: Database, directory: Path) -> None:
        limits = Limits(segment_rows=5)
        self.directory = directory
        self.database = database
        self.one, self.other = (SegmentLog(directory, limits, CHAIN_KEY) for _ in range(2))
        self.journals = [
            Journal(database.engine, audit_events, directory),
            Journal(database.engine, audit_data_events, None),
        ]
        self._ledger = Ledger(CHAIN_KEY)

    def change(self, number: int, *, is_data: bool = False) -> str:
        """Commit the record of a mutation; its event id."""
        made = event(event_id=row(number).event_id, is_data=is_data)
        with self.database.write() as tx:
            self._ledger.add(tx.connection, made)
        return made.event_id

    def close(self) -> None:
        self.one.close()
        self.other.close()


@pytest.fixture
def logs(database: Database, tmp_path: Path) -> Iterator[Logs]:
    if database.engine.dialect.name != "sqlite":
        pytest.skip("the tables' chains are the same on both, and segments are embedded")
    made = Logs(database, tmp_path)
    yield made
    made.close()


def everything(follower: Follower, most: int = 100) -> list[str]:
    """The ids of all that is new."""
    found: list[str] = []
    while (news := follower.news(most)).rows:
        assert len(news.rows) <= most
        found += [one.event_id for one in news.rows]
        follower.take(news)
    return found


def test_what_commits_late_is_not_passed_over(logs: Logs) -> None:
    """Its event id is older than those that were read already."""
    follower = Follower(logs.journals, {})
    late, early, middle = row(1), row(3), row(2)
    logs.one.append([early])
    assert everything(follower) == [early.event_id]
    logs.other.append([late])
    logs.one.append([middle])
    assert everything(follower) == [late.event_id, middle.event_id]
    assert everything(follower) == []


@pytest.mark.parametrize("most", [1, 2, 3, 7, 100])
def test_batches_of_any_size_have_each_row_once(logs: Logs, most: int) -> None:
    rows = [row(number) for number in range(23)]
    for number, one in enumerate(rows):
        (logs.one if number % 3 else logs.other).append([one])
    changed = [logs.change(30), logs.change(31, is_data=True)]
    found = everything(Follower(logs.journals, {}), most)
    assert sorted(found) == sorted([*(one.event_id for one in rows), *changed])


def test_sealing_and_adoption_change_nothing(logs: Logs) -> None:
    follower = Follower(logs.journals, {})
    rows = [row(number) for number in range(12)]

    def write(some: list[Row]) -> list[str]:
        for one in some:
            logs.one.append([one])
        return [one.event_id for one in some]

    assert write(rows[:3]) == everything(follower)
    logs.one.close()
    logs.one = SegmentLog(logs.directory, Limits(segment_rows=5), CHAIN_KEY)
    assert write(rows[3:7]) == everything(follower)
    seal(logs.directory)
    assert write(rows[7:]) == everything(follower)


def test_what_was_not_taken_comes_again(logs: Logs) -> None:
    logs.one.append([row(1), row(2), row(3)])
    follower = Follower(logs.journals, {})
    first = follower.news(2)
    assert follower.news(2) == first
    follower.take(first)
    assert [one.event_id for one in follower.news(2).rows] > [one.event_id for one in first.rows]
    assert follower.behind() == 1


def test_from_now_on(logs: Logs) -> None:
    logs.one.append([row(1)])
    logs.change(2)
    follower = Follower(logs.journals, heads(logs.journals))
    assert follower.behind() == 0
    assert everything(follower) == []
    logs.other.append([new := row(3)])
    changed = logs.change(4)
    assert everything(follower) == [new.event_id, changed]
    assert MAIN in heads(logs.journals)
