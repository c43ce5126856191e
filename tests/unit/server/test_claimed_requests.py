"""Requests whose bodies are streamed, from bytes: handed over early, and refused for all the reasons others are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.config import Limits
from kms_server.protocol.message import ClientGone
from kms_server.server.http_reader import HttpReader
from tests.unit.server.http_cases import AMBIGUOUS, HEAD
from tests.unit.server.test_http_reader import LIMITS


def claiming(limits: Limits = LIMITS) -> HttpReader:
    return HttpReader(limits, "192.0.2.7", None, claims=lambda request: request.method != "GET")


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_claimed_request_is_refused_for_the_same_reasons(case: str) -> None:
    made = claiming(Limits())
    made.receive(AMBIGUOUS[case])
    assert made.refusal == 400
    incoming = made.take()
    if incoming is not None:  # only its body is wrong
        assert incoming.body is not None
        with pytest.raises(ClientGone):
            incoming.body.read(100)


def test_a_claimed_request_is_handed_over_before_its_body() -> None:
    made = claiming()
    made.receive(HEAD + b"Content-Length: 5000000000\r\n\r\n")
    incoming = made.take()
    assert incoming is not None
    assert incoming.body is not None
    assert incoming.keep_alive
    assert incoming.request.stream is incoming.body is made.streamed is not None
    assert (incoming.request.body, incoming.body.to_come) == (b"", 5_000_000_000)
    made.receive(b"x" * 100_000)
    assert incoming.body.read(200_000) == b"x" * 100_000
    assert incoming.body.to_come == 4_999_900_000
    made.cut_off()
    with pytest.raises(ClientGone):
        incoming.body.read(1)


@given(st.lists(st.integers(0, 400), max_size=8))
def test_the_pieces_of_claimed_requests_do_not_matter(cuts: list[int]) -> None:
    data = (
        HEAD + b"Content-Length: 5\r\n\r\nhello" + b"GET /2 HTTP/1.1\r\nHost: b\r\n\r\n" + HEAD
        + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: t\r\n\r\n" + HEAD + b"\r\n"
    )  # fmt: skip
    made = claiming()
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        made.receive(data[at:cut])
        at = max(at, cut)
    taken = list(iter(made.take, None))
    assert [incoming.body.read(99) if incoming.body else None for incoming in taken] == [
        b"hello",
        None,
        b"abc",
        b"",
    ]
    assert all(incoming.body is None or incoming.body.complete for incoming in taken)
    assert made.refusal is None
    assert "trailer" not in taken[2].request.headers


def test_chunk_extensions_of_a_claimed_body_do_not_grow_without_bound() -> None:
    for before in (b"", b"3\r\nabc\r\n" * 30_000):
        made = claiming()
        made.receive(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + before + b"1;")
        for _ in range(300):
            made.receive(b"a" * 100)
        assert made.refusal == 413


def test_headers_after_a_claimed_body_are_counted_as_others() -> None:
    body = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    start = (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body * 3 + b"0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n"
    )
    for value, refusal in ((1_900, None), (2_000, 431)):
        made = claiming()
        made.receive(start)
        made.receive(b"X: " + b"v" * value + b"\r\n\r\n")
        assert made.refusal == refusal
        assert made.take() is not None
        assert (made.take() is None) is bool(refusal)


def test_a_claimed_request_waits_for_continue_by_itself() -> None:
    made = claiming()
    made.receive(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    incoming = made.take()
    assert incoming is not None
    assert incoming.body is not None
    assert incoming.body.awaits_continue
    assert not made.awaits_continue
    made.receive(b"a")
    assert not incoming.body.awaits_continue


def test_the_body_of_the_last_request_that_fits_is_not_left_waiting() -> None:
    made = claiming()
    made.receive(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" * 3 + HEAD + b"Content-Length: 100000\r\n\r\n")
    made.receive(b"x" * 60_000)
    made.receive(b"x" * 40_000 + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert made.full
    taken = list(iter(made.take, None))
    assert [incoming.request.method for incoming in taken] == ["GET"] * 3 + ["POST", "GET"]
    assert taken[3].body is not None
    assert taken[3].body.complete
