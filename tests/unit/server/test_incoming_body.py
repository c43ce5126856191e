"""The body of a request between the event loop and the thread that reads it."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.protocol.message import ClientGone
from kms_server.server.incoming_body import HIGH_WATER, IncomingBody
from tests.unit.server.door_server import eventually


def body(*pieces: bytes, complete: bool = True, length: int | None = None) -> IncomingBody:
    made = IncomingBody(length, awaits_continue=False)
    for piece in pieces:
        made.feed(piece)
    if complete:
        made.finish()
    return made


@given(st.lists(st.binary(min_size=1, max_size=40)), st.integers(1, 50))
def test_the_pieces_do_not_matter(pieces: list[bytes], most: int) -> None:
    made = body(*pieces)
    read = list(iter(lambda: made.read(most), b""))
    assert b"".join(read) == b"".join(pieces)
    assert all(0 < len(piece) <= most for piece in read)
    assert made._held == 0
    assert made.read(most) == b""


def test_large_pieces_are_not_copied_and_small_ones_are_joined() -> None:
    large = bytes(200_000)
    made = body(large, b"a", b"b", b"c" * 65_534, b"d")
    assert made.read(1_000_000) is large
    assert made.read(1_000_000) == b"ab" + b"c" * 65_534
    assert made.read(1_000_000) == b"d"


def test_it_is_full_until_half_of_it_was_read() -> None:
    made = body(*[bytes(100_000)] * 11, complete=False)
    woken: list[bool] = []
    made.on_read = lambda: woken.append(made.full)
    assert made.full
    for _ in range(11):
        made.read(100_000)
    assert woken == [False]
    assert not made.full


def test_tiny_pieces_count_for_more_than_their_bytes() -> None:
    made = body(*[b"ab"] * 20_000, complete=False)
    assert made.full
    assert made._held > HIGH_WATER


def test_a_read_waits_for_what_comes_or_for_the_end() -> None:
    for end, expected in ((lambda made: made.feed(b"abc"), b"abc"), (IncomingBody.finish, b"")):
        made = body(complete=False)
        read: list[bytes] = []
        thread = threading.Thread(target=lambda made=made, read=read: read.append(made.read(9)))
        thread.start()
        eventually(lambda made=made: made.waited(time.monotonic() + 50) > 49)  # type: ignore[misc]
        end(made)
        thread.join()
        assert read == [expected]
        assert made.waited(time.monotonic() + 50) == 0


def test_the_rest_that_will_not_come_is_an_error() -> None:
    made = body(b"abc", complete=False)
    made.fail()
    with pytest.raises(ClientGone):
        made.read(1)


def test_what_is_complete_can_be_read_when_the_client_has_gone() -> None:
    made = body(b"abc")
    made.fail()
    assert (made.read(9), made.read(9)) == (b"abc", b"")


def test_the_first_read_asks_once() -> None:
    made = IncomingBody(3, awaits_continue=True)
    asked: list[bool] = []

    def send() -> None:
        asked.append(made.asked)
        made.feed(b"a")

    made.on_read = send
    assert made.read(9) == b"a"
    made.awaits_continue = True
    made.feed(b"b")
    assert made.read(9) == b"b"
    assert asked == [True]


@pytest.mark.parametrize(
    ("length", "awaits_continue", "skippable"),
    [(1_048_576, False, True), (1_048_577, False, False), (None, False, False), (5, True, False)],
)
def test_a_little_that_comes_anyway_can_be_skipped(
    length: int | None, awaits_continue: bool, skippable: bool
) -> None:
    made = IncomingBody(length, awaits_continue=awaits_continue)
    assert made.skippable is skippable
    made.fail()
    assert not made.skippable


def test_what_is_discarded_is_not_kept() -> None:
    made = body(b"abc", complete=False, length=10)
    made.discard()
    made.feed(b"defg")
    assert (made._held, made.to_come) == (0, 3)
