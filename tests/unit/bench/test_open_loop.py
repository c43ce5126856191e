"""What is held up is not left out: latencies count from when a request was due."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench import open_loop
from bench.connections import Connection, Connections
from bench.open_loop import Schedule

_REQUEST = b"a request of known length"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_RATE = 1_000.0


@contextmanager
def _server(before_answer: Callable[[], None]) -> Iterator[tuple[str, int]]:
    """Answers each request, after it has called something."""

    def serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(len(_REQUEST), socket.MSG_WAITALL):
                before_answer()
                connection.sendall(_ANSWER)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,)).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()


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

    with _server(stall) as address:
        connections = Connections(Connection, address, 1)
        found = open_loop.run(connections, [_REQUEST] * 10, _RATE, lambda: now)
        connections.close()
    assert found.latencies == pytest.approx([1.0 - number / _RATE for number in range(10)])
    assert found.lateness == pytest.approx([0.0] * 10)
    assert found.crowded == 9


def test_what_the_generator_is_late_by_itself_is_told_apart() -> None:
    """The clock jumps before anything is sent, with a connection free for each request."""
    ticks = iter([0.0])
    with _server(lambda: None) as address:
        connections = Connections(Connection, address, 10)
        found = open_loop.run(connections, [_REQUEST] * 10, _RATE, lambda: next(ticks, 1.0))
        connections.close()
    expected = [1.0 - number / _RATE for number in range(10)]
    assert found.lateness == pytest.approx(expected)
    assert sorted(found.latencies, reverse=True) == pytest.approx(expected)
    assert found.crowded == 0


def test_an_answer_is_whole_when_its_length_says_so() -> None:
    """Also when it is as long as the one before."""
    with _server(lambda: None) as address:
        connection = Connection(address)
        assert connection.is_whole(_ANSWER)
        assert connection.is_whole(_ANSWER)
        assert not connection.is_whole(_ANSWER[:-1])
        longer = _ANSWER.replace(b": 2", b": 3")
        assert not connection.is_whole(longer)
        assert connection.is_whole(longer + b"!")
        assert not connection.closes
        connection.socket.close()
