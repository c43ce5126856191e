"""After a change: calls wait for one look at the database and go on, and no call is answered from before it came."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.unit.server.door_server import (
    RunningDoor,
    SteeredMemory,
    SteeredPipeline,
    connections_of,
    eventually,
    read_answer,
    running_door,
)

FRESH = b"GET /fresh/%d HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def memory() -> Iterator[SteeredMemory]:
    made = SteeredMemory()
    made.is_stale = True
    yield made
    made.gate.set()


@pytest.fixture
def pipeline(memory: SteeredMemory) -> SteeredPipeline:
    made = SteeredPipeline()
    made.memory = memory
    return made


@pytest.fixture
def door(pipeline: SteeredPipeline, memory: SteeredMemory) -> Iterator[RunningDoor]:
    with running_door(pipeline, memory=memory, waits=memory.waits) as made:
        yield made
        memory.gate.set()


def waiting(door: RunningDoor) -> int:
    return sum(connection._forgotten is not None for connection in connections_of(door.door))


def test_all_wait_for_two_looks_at_most_and_go_on_in_the_event_loop(
    door: RunningDoor, pipeline: SteeredPipeline, memory: SteeredMemory
) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(door.connection()) for _ in range(5)]
        clients[0].sendall(FRESH % 0)
        assert memory.begun.acquire(timeout=20)
        # A look that has begun may miss what these must see: they wait for the next.
        for number, client in enumerate(clients[1:], 1):
            client.sendall(FRESH % number)
        eventually(lambda: waiting(door) == 5)
        memory.gate.set()
        for number, client in enumerate(clients):
            assert b"/fresh/%d" % number in read_answer(client)[2]
    assert memory.looks == 2
    assert set(pipeline.threads) == {pipeline.threads[0]} != {"cold"}


def test_the_next_request_of_a_connection_has_a_look_of_its_own(
    door: RunningDoor, pipeline: SteeredPipeline, memory: SteeredMemory
) -> None:
    with door.connection() as client:
        client.sendall(FRESH % 1)
        assert memory.begun.acquire(timeout=20)
        client.sendall(FRESH % 2)
        eventually(lambda: any(connection._reader.waiting for connection in connections_of(door.door)))
        memory.gate.set()
        assert [read_answer(client)[0] for _ in range(2)] == [200, 200]
    assert memory.looks == 2
    assert "cold" not in pipeline.threads


def test_when_the_look_fails_the_call_goes_on_in_a_thread(
    door: RunningDoor, pipeline: SteeredPipeline, memory: SteeredMemory
) -> None:
    memory.fails = True
    memory.gate.set()
    with door.connection() as client:
        client.sendall(FRESH % 1)
        assert read_answer(client)[0] == 200
    assert pipeline.threads == ["cold"]


def test_what_is_not_in_memory_is_read_in_a_thread(
    door: RunningDoor, pipeline: SteeredPipeline, memory: SteeredMemory
) -> None:
    memory.is_stale = False
    with door.connection() as client:
        client.sendall(b"GET /cold HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(client)[0] == 200
    assert (memory.looks, pipeline.threads) == (0, ["cold"])


def test_calls_that_a_look_holds_up_are_answered_for(
    door: RunningDoor, pipeline: SteeredPipeline, memory: SteeredMemory
) -> None:
    memory.waits.patience = 0.1
    with door.connection() as client:
        client.sendall(FRESH % 1)
        status, headers, _ = read_answer(client)
        assert (status, headers["connection"]) == (500, "close")
    # Others do not wait behind it.
    with door.connection() as client:
        client.sendall(FRESH % 2)
        assert read_answer(client)[0] == 200
    assert pipeline.threads == ["cold"]
    memory.gate.set()
    eventually(lambda: door.door.looking is None)
    with door.connection() as client:
        client.sendall(FRESH % 3)
        assert read_answer(client)[0] == 200
    assert [request.path for request in pipeline.requests] == ["/fresh/2", "/fresh/3"]
