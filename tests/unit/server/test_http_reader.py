"""Requests from bytes: whatever the pieces they come in, and nothing that two readers could read in two ways."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.config import Limits
from kms_server.protocol.message import Request, TlsDetails
from kms_server.server.entrance import Entrance
from kms_server.server.http_reader import HttpReader
from tests.unit.server.http_cases import AMBIGUOUS, HEAD, LENIENT

LIMITS = Limits(
    max_body_bytes=1_000, max_header_bytes=2_000, max_header_count=20, max_target_bytes=100, max_pipelined=4
)


def reader(limits: Limits = LIMITS) -> HttpReader:
    return HttpReader(limits, "192.0.2.7", None)


def read(data: bytes) -> HttpReader:
    made = reader()
    made.receive(data)
    return made


def requests(made: HttpReader) -> list[Request]:
    found = []
    while (incoming := made.take()) is not None:
        found.append(incoming.request)
    return found


def test_a_request_is_read_as_it_was_sent() -> None:
    made = read(
        b"POST /a%20b?x=1&y HTTP/1.1\r\nHost: kms.test\r\nX-Two: 1 \r\nx-two:2\r\nX-Empty:\r\n"
        b"Content-Length: 3\r\n\r\nabc"
    )
    incoming = made.take()
    assert incoming is not None
    assert incoming.keep_alive
    assert incoming.request == Request(
        "POST", "/a%20b?x=1&y",
        {"host": "kms.test", "x-two": "1,2", "x-empty": "", "content-length": "3"}, b"abc", "192.0.2.7",
    )  # fmt: skip
    assert not made.waiting


@given(st.lists(st.integers(0, 150), max_size=8))
def test_the_pieces_do_not_matter(cuts: list[int]) -> None:
    data = (
        HEAD + b"Content-Length: 5\r\n\r\nhello" + b"GET /2 HTTP/1.1\r\nHost: b\r\n\r\n"
        + HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    )  # fmt: skip
    made = reader()
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        made.receive(data[at:cut])
        at = max(at, cut)
    assert [(found.target, found.body) for found in requests(made)] == [
        ("/", b"hello"),
        ("/2", b""),
        ("/", b"abc"),
    ]
    assert made.refusal is None


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_could_be_read_in_two_ways_is_refused(case: str) -> None:
    made = reader(Limits())
    made.receive(AMBIGUOUS[case])
    assert made.refusal == 400
    assert made.take() is None


@pytest.mark.parametrize("case", LENIENT)
def test_what_only_looks_odd_is_read(case: str) -> None:
    data, body = LENIENT[case]
    made = read(data)
    assert [found.body for found in requests(made)] == [body]
    assert made.refusal is None
    assert not made.in_message


@pytest.mark.parametrize("case", AMBIGUOUS)
@pytest.mark.parametrize("before", [b"", b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["alone", "second"])
def test_a_refusal_does_not_depend_on_the_pieces(case: str, before: bytes) -> None:
    made = reader(Limits())
    for byte in before + AMBIGUOUS[case]:
        made.receive(bytes([byte]))
    assert made.refusal == 400
    assert len(requests(made)) == bool(before)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEAD + b"Content-Length: 1001\r\n\r\n", 413),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1f4\r\n" + b"x" * 500 + b"\r\n") * 3, 413),
        (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (HEAD + b"X: " + b"a" * 2_000 + b"\r\n\r\n", 431),
        (HEAD + b"X: a\r\n" * 20 + b"\r\n", 431),
        (HEAD + b"Expect: tea\r\n\r\n", 417),
        (b"GET / HTTP/0.9\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ],
)
def test_limits_have_their_own_status(data: bytes, status: int) -> None:
    assert read(data).refusal == status


def test_exactly_the_limits_pass() -> None:
    body = read(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1_000)
    assert [len(found.body) for found in requests(body)] == [1_000]
    target = read(b"GET /" + b"a" * 99 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [len(found.target) for found in requests(target)] == [100]
    count = read(HEAD + b"X: a\r\n" * 19 + b"\r\n")
    assert len(requests(count)) == 1


def test_a_header_that_never_ends_is_refused_before_it_is_complete() -> None:
    made = read(HEAD + b"X: ")
    for _ in range(200):
        made.receive(b"a" * 100)
    assert made.refusal == 431


@pytest.mark.parametrize("piece", [7, 100, 1_950, 10_000])
def test_header_bytes_are_counted_however_they_arrive(piece: int) -> None:
    for value, refusal in ((1_995, None), (1_996, 431)):
        data = b"GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + b"v" * (value - len("X-Large")) + b"\r\n\r\n"
        made = reader()
        for at in range(0, len(data), piece):
            made.receive(data[at : at + piece])
        assert made.refusal == refusal


def test_chunk_extensions_do_not_grow_without_bound() -> None:
    made = read(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;")
    for _ in range(300):
        made.receive(b"a" * 100)
    assert made.refusal == 413


def test_a_body_in_chunks_of_one_byte_passes() -> None:
    made = read(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(1_000):
        made.receive(b"1\r\nx\r\n")
    made.receive(b"0\r\n\r\n")
    assert [found.body for found in requests(made)] == [b"x" * 1_000]


def test_trailers_are_no_headers() -> None:
    made = read(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nAuthorization: x\r\nX-Amz-Target: y\r\n\r\n"
        b"GET /next HTTP/1.1\r\nHost: b\r\n\r\n"
    )
    first, second = requests(made)
    assert set(first.headers) == {"host", "transfer-encoding"}
    assert set(second.headers) == {"host"}


def test_requests_before_a_refusal_are_kept() -> None:
    made = read(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE\r\n\r\n")
    assert [found.target for found in requests(made)] == ["/1"]
    assert made.refusal == 400
    made.receive(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert made.take() is None


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [("1.1", b"", True), ("1.1", b"close", False), ("1.0", b"", False), ("1.0", b"keep-alive", False)],
)
def test_who_keeps_the_connection(version: str, connection: bytes, kept: bool) -> None:
    made = read(b"GET / HTTP/%b\r\nHost: a\r\nConnection: %b\r\n\r\n" % (version.encode(), connection))
    incoming = made.take()
    assert incoming is not None
    assert incoming.keep_alive is kept


def test_a_client_waits_for_continue_until_it_sends() -> None:
    head = HEAD + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
    made = read(head)
    assert made.awaits_continue
    made.receive(b"a")
    assert not made.awaits_continue
    old = read(head.replace(b"1.1", b"1.0"))
    assert not old.awaits_continue


def test_a_client_far_ahead_is_not_read_further() -> None:
    one = b"GET /%d HTTP/1.1\r\nHost: a\r\nX-Fill: " + b"f" * 1_500 + b"\r\n\r\n"
    made = read(b"".join(one % number for number in range(100)))
    assert made.full
    assert [found.target for found in requests(made)] == [f"/{number}" for number in range(100)]
    assert not made.full


def test_a_client_whose_bodies_wait_is_not_read_further() -> None:
    made = read((HEAD + b"Content-Length: 900\r\n\r\n" + b"x" * 900) * 2)
    assert made.full
    assert made.take() is not None
    assert not made.full


def test_a_trusted_proxy_says_where_requests_come_from() -> None:
    entrance = Entrance((ip_network("192.0.2.0/24"),))
    made = HttpReader(LIMITS, "192.0.2.7", None, proxied=entrance)
    made.receive(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.1\r\nX-Forwarded-Proto: https\r\n\r\n"
    )
    (request,) = requests(made)
    assert (request.source_ip, request.tls) == ("203.0.113.1", TlsDetails("", ""))
