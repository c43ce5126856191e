"""The body of an answer between the thread that makes it and the event loop."""

import threading

import pytest

from kms_server.protocol.message import ClientGone
from kms_server.server.outgoing_body import HIGH_WATER, OutgoingBody
from tests.unit.server.door_server import eventually


def test_parts_come_out_in_order_and_large_ones_in_slices() -> None:
    woken: list[None] = []
    made = OutgoingBody(lambda: woken.append(None))
    small, large = b"small", bytes(range(256)) * 2_500
    made.put(small)
    made.put(large)
    assert made.take() is small
    slices = []
    while (piece := made.take()) is not None:
        slices.append(piece)
    assert [len(piece) for piece in slices] == [262_144, 262_144, 115_712]
    assert b"".join(slices) == large
    assert woken == [None]
    made.put(small)
    assert woken == [None] * 2


def test_a_thread_that_is_ahead_waits() -> None:
    made = OutgoingBody(lambda: None)
    put: list[int] = []

    def make() -> None:
        for number in range(30):
            made.put(bytes(100_000))
            put.append(number)

    thread = threading.Thread(target=make)
    thread.start()
    eventually(lambda: len(put) == HIGH_WATER // 100_000)
    assert made._held <= HIGH_WATER
    taken = 0
    while taken < 30:
        taken += made.take() is not None
    thread.join()


def test_a_part_larger_than_the_bound_passes_alone() -> None:
    made = OutgoingBody(lambda: None)
    made.put(bytes(5 * HIGH_WATER))
    assert made.take() is not None


def test_a_client_that_has_gone_ends_the_waiting() -> None:
    made = OutgoingBody(lambda: None)
    made.put(bytes(HIGH_WATER))
    gone = threading.Event()

    def make() -> None:
        with pytest.raises(ClientGone):
            made.put(b"more")
        gone.set()

    thread = threading.Thread(target=make)
    thread.start()
    made.fail()
    assert gone.wait(20)
    thread.join()
