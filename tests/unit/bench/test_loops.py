"""What is held up is not left out."""

import pytest

from bench import closed_loop, open_loop
from bench.connections import Connection, Connections
from bench.open_loop import Schedule
from tests.unit.bench.stalling import ANSWER, REQUEST, server

_RATE = 1_000.0


def test_a_schedule_tells_what_is_due() -> None:
    schedule = Schedule(10.0, _RATE, 3)
    assert [schedule.due(now) for now in (9.9, 10.0, 10.0015, 99.0)] == [0, 1, 2, 3]
    assert schedule.at(2) == pytest.approx(10.002)


def test_a_stall_counts_for_every_request_that_was_due_meanwhile() -> None:
    """The clock jumps by a second while the first answer is made; a loop that is closed would see one slow answer."""
    now = 0.0

    def stall() -> None:
        nonlocal now
        now = 1.0

    with server(stall) as address:
        connections = Connections(Connection, address, 1)
        found = open_loop.run(connections, [REQUEST] * 10, _RATE, lambda: now)
        connections.close()
    assert found.latencies == pytest.approx([1.0 - number / _RATE for number in range(10)])
    assert found.lateness == pytest.approx([0.0] * 10)
    assert found.crowded == 9


def test_what_the_generator_is_late_by_itself_is_told_apart() -> None:
    """The clock jumps before anything is sent, with a connection free for each request."""
    ticks = iter([0.0])
    with server(lambda: None) as address:
        connections = Connections(Connection, address, 10)
        found = open_loop.run(connections, [REQUEST] * 10, _RATE, lambda: next(ticks, 1.0))
        connections.close()
    expected = [1.0 - number / _RATE for number in range(10)]
    assert found.lateness == pytest.approx(expected)
    assert sorted(found.latencies, reverse=True) == pytest.approx(expected)
    assert found.crowded == 0


def test_an_answer_is_whole_when_its_length_says_so() -> None:
    """Also when it is as long as the one before."""
    with server(lambda: None) as address:
        connection = Connection(address)
        assert connection.is_whole(ANSWER)
        assert connection.is_whole(ANSWER)
        assert not connection.is_whole(ANSWER[:-1])
        longer = ANSWER.replace(b": 2", b": 3")
        assert not connection.is_whole(longer)
        assert connection.is_whole(longer + b"!")
        assert not connection.closes
        connection.socket.close()


def test_a_closed_loop_lasts_until_it_has_as_many_answers_as_connections() -> None:
    """The time is over before the first answer, and yet there is a rate of more than one."""
    now = 0.0

    def stall() -> None:
        nonlocal now
        now += 1.0

    with server(stall) as address:
        connections = Connections(Connection, address, 3)
        found = closed_loop.run(connections, [REQUEST] * 100, 0.5, lambda: now)
        connections.close()
    assert len(found.latencies) == 3
    assert found.seconds >= 1.0
    assert 3 <= found.answers <= 6
