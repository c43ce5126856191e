"""Injected faults: each call has its own place in a fault's schedule, over processes, and what is used up is gone."""

import threading
from collections.abc import Iterable

import pytest

from kms_server.storage import injected_faults
from kms_server.storage.database import Database, changed_since, latest_change
from kms_server.storage.injected_faults import InjectedFault
from tests.databases import Place
from tests.unit.storage.test_transactions import line, process

CALLS = 60


def fault(calls: int | None = 3, schedule: str = "1") -> InjectedFault:
    return InjectedFault("ThrottlingException", 0.0, schedule, calls, 1.0)


def stored(database: Database, *faults: InjectedFault) -> None:
    with database.write() as tx:
        for one in faults:
            injected_faults.add(tx, one)


def every(database: Database) -> tuple[InjectedFault, ...]:
    with database.read() as connection:
        return injected_faults.every(connection)


def changes(database: Database) -> tuple[int, int]:
    """What tells caches that something has changed."""
    with database.read() as connection:
        return latest_change(connection), database.generation.counter[0]


def test_a_schedule_is_gone_through_over_and_over() -> None:
    one = fault(schedule="0110")
    assert [one.meets(position) for position in range(1, 10)] == [
        False, True, True, False, False, True, True, False, False,
    ]  # fmt: skip


def test_faults_come_back_whole_and_in_order(database: Database) -> None:
    told = InjectedFault(None, 0.25, "01" * 500, None, 5.5, "0" * 12, "Encrypt", "mrk-1", "arn:*")
    first, last = fault(), fault()
    stored(database, first, told, last)
    assert every(database) == (first, told, last)
    with database.write() as tx:
        assert injected_faults.remove(tx, told.fault_id)
        assert not injected_faults.remove(tx, told.fault_id)
        assert injected_faults.number_of(tx.connection) == 2
    assert every(database) == (first, last)


@pytest.mark.parametrize("calls", [1, 3])
def test_the_last_call_takes_the_fault_along(database: Database, calls: int) -> None:
    used, other = fault(calls), fault(calls)
    stored(database, used, other)
    before = changes(database)
    assert [injected_faults.take(database, used) for _ in range(calls - 1)] == list(range(1, calls))
    assert changes(database) == before
    assert injected_faults.take(database, used) == calls
    assert every(database) == (other,)
    with database.read() as connection:
        assert changed_since(connection, before[0]) == [injected_faults.SCOPE]
    assert injected_faults.take(database, used) is None
    assert every(database) == (other,)


def test_one_without_an_end_stays_until_it_is_removed(database: Database) -> None:
    endless = fault(None)
    stored(database, endless)
    assert [injected_faults.take(database, endless) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert [one.seen for one in every(database)] == [5]
    with database.write() as tx:
        injected_faults.remove(tx, endless.fault_id)
    assert injected_faults.take(database, endless) is None


def together(lines: Iterable[list[str]]) -> list[int]:
    return sorted(int(one) for of_one in lines for one in of_one)


def test_processes_never_count_a_place_twice_nor_skip_one(database: Database, place: Place) -> None:
    stored(database, fault(CALLS))
    counting = [process("count", place, 0) for _ in range(2)]
    assert [line(one) for one in counting] == ["ready"] * 2
    told: list[list[str]] = []
    listeners = [threading.Thread(target=lambda one=one: told.append(list(one.stdout))) for one in counting]
    for listener in listeners:
        listener.start()
    with database.write() as tx:
        tx.mark("go")
    for one, listener in zip(counting, listeners, strict=True):
        with one:
            assert one.wait(60) == 0
        listener.join()
    assert together(told) == list(range(1, CALLS + 1))
    assert every(database) == ()
