"""A request that arrives whole is understood as it is when it comes in pieces, whatever is wrong with it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.config import Limits
from kms_server.server import http_headers
from kms_server.server.http_reader import HttpReader
from kms_server.server.whole_request import WholeRequests

LIMITS = Limits(max_body_bytes=300, max_header_bytes=1_000, max_header_count=12, max_pipelined=4)
LINES = [
    b"Host: kms.test", b"Accept-Encoding: identity", b"X-Amz-Target: TrentService.Encrypt",
    b"Content-Type: application/x-amz-json-1.1", b"User-Agent: Boto3/1.44 os/linux", b"X-Amz-Date: 20261122T033100Z",
    b"Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20261122/us-east-1/kms/aws4_request, Signature=06bc",
    b"amz-sdk-invocation-id: d76d9ebd", b"amz-sdk-request: attempt=1; max=3", b"Content-Length: 11",
]  # fmt: skip
BODY = b'{"a": "b"}\n'
TOKEN = b"X-Amz-Security-Token: IQoJb3JpZ2lu"


def whole(*lines: bytes) -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", *lines, b"", BODY])


WHOLE = whole(*LINES)
OF_SESSION = whole(*LINES[:5], TOKEN, *LINES[5:])


def understood(*pieces: bytes) -> tuple[object, ...]:
    """The requests, whether each keeps its connection, and what becomes of that."""
    made = HttpReader(LIMITS, "192.0.2.7", None)
    for piece in pieces:
        made.receive(piece)
    found = []
    while (incoming := made.take()) is not None:
        found.append((incoming.request, incoming.keep_alive))
    return found, made.refusal, made.in_message


# What requests of many clients look like: botocore's, its session's, and others.
CLIENTS = {
    "botocore": LINES,
    "session": [*LINES[:5], TOKEN, *LINES[5:]],
    "session, another order": [*LINES[:6], TOKEN, *LINES[6:]],
    "session, first": [TOKEN, *LINES],
    "a line of its own before": [*LINES[:2], b"X-Amzn-Trace-Id: Root=1-5759e988", *LINES[2:]],
    "a line of its own after": [*LINES, b"X-Amzn-Trace-Id: Root=1-5759e988"],
    "a line between its own": [*LINES[:7], b"X-Amzn-Trace-Id: Root=1-5759e988", *LINES[7:]],
    "no invocation": [*LINES[:7], *LINES[8:]],
    "own lines last": [*LINES[:6], *LINES[8:], *LINES[6:8]],
    "own lines first": [*LINES[6:8], *LINES[:6], *LINES[8:]],
    "sorted": sorted(LINES),
    "lower case": [name.lower() + colon + value for name, colon, value in (line.partition(b":") for line in LINES)],
    "unsigned": [*LINES[:6], *LINES[8:]],
}  # fmt: skip


@pytest.mark.parametrize("client", CLIENTS)
def test_what_clients_send_is_read_whole(client: str) -> None:
    lines, requests = CLIENTS[client], WholeRequests(LIMITS)
    expected = [
        (name.decode().lower(), value.decode()) for name, value in (line.split(b": ", 1) for line in lines)
    ]
    for _ in range(2):
        read = requests.read(whole(*lines))
        assert read is not None
        headers, body = read
        assert body == BODY
        assert list(headers.items()) == expected
        # Whoever changes them changes those of no other request.
        headers.clear()
    assert understood(whole(*lines))[0]
    assert understood(whole(*lines)) == understood(whole(*lines)[:1], whole(*lines)[1:])


@pytest.mark.parametrize("line", [*LINES, TOKEN])
def test_names_are_repeated(line: bytes) -> None:
    lines, requests = CLIENTS["session"], WholeRequests(LIMITS)
    for at in range(len(lines) + 1):
        twice = whole(*lines[:at], line, *lines[at:])
        assert requests.read(OF_SESSION) is not None
        assert requests.read(twice) is None
        assert understood(twice) == understood(twice[:1], twice[1:])


def test_what_is_kept_is_bounded_and_no_secret() -> None:
    requests = WholeRequests(LIMITS)
    for number in range(2_500):
        for data in (WHOLE, OF_SESSION):
            assert requests.read(data.replace(b"Boto3/1.44", b"Boto3/%d" % number)) is not None
        assert len(http_headers._runs) <= http_headers._MOST_RUNS
    for lines in CLIENTS.values():
        for longer in (b"Boto3", b"B" * http_headers._LONGEST_RUN):
            assert WholeRequests(Limits()).read(whole(*lines).replace(b"Boto3", longer)) is not None
    names = {name for headers in http_headers._runs.values() for name in headers}
    assert names <= http_headers._REPEATED
    assert names.isdisjoint(http_headers._OTHERS)
    assert all(len(text) <= http_headers._LONGEST_RUN for text in http_headers._runs)
    kept = "\n".join(http_headers._runs)
    assert not any(secret in kept for secret in ("AWS4", "d76d9ebd", "IQoJ"))


ODD = [
    b"Transfer-Encoding: chunked", b"Transfer-Encoding : chunked", b"Connection: close", b"Connection: keep-alive",
    b"Expect: 100-continue", b"Upgrade: h2c", b"Content-Length: 11", b"Content-Length: +11", b"Content-Length:\t11 ",
    b"content-length: 011", b"Host: other", b"host:", b"Host: a b", b"Host: a, b", b"Host: a/b", b"Host: a@b", b": empty", b"no colon", b" folded: line", b"\tfolded", b"X-A: \x00", b"X-A: a\rb",
    b"X-A: a\nHost: b", b"X-A: \xff\x80", b"X-A: \x7f", b"X\x01A: b", b"X-A:b", b"X-A:  b  ", b"X-A: a:b: c", b"x" * 400 + b": y", b"X-Y: " + b"y" * 900,
    b"Proxy-Connection: close", b"X-Amz-Target: other", TOKEN, b"Authorization: other", b"authorization: \t",
    b"amz-sdk-invocation-id: ", b"Authorization: \tAWS4 \t", b"amz-sdk-invocation-id: \td76d \t", b"X-Amz-Security-Token: \tb ", b"X-Amz-Security-Token: a\nb", b"Authorization: a\nb: c", b"Authorization: a\r\n b", b"X-A: one\r\nX-A: two", b"", b"\r",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_odd_lines(odd: bytes) -> None:
    for lines in (LINES, CLIENTS["session"]):
        for at in range(len(lines) + 1):
            data = whole(*lines[:at], odd, *lines[at:])
            assert understood(data) == understood(data[:1], data[1:])
            # What stands in the place of another line.
            data = whole(*lines[:at], odd, *lines[at + 1 :])
            assert understood(data) == understood(data[:1], data[1:])


_CHUNKS = [*LINES, *ODD, b"POST / HTTP/1.1", b"POST / HTTP/1.0", b"GET / HTTP/1.1", BODY, b"0", b"5;x=y"]
edits = st.lists(
    st.tuples(st.integers(0, len(OF_SESSION)), st.integers(0, 4), st.binary(max_size=3) | st.sampled_from(_CHUNKS)),
    max_size=3,
)  # fmt: skip


@given(st.sampled_from([WHOLE, OF_SESSION]), edits, st.integers(1, 20))
def test_any_bytes(data: bytes, changes: list[tuple[int, int, bytes]], cut: int) -> None:
    for at, removed, added in changes:
        data = data[:at] + added + data[at + removed :]
    assert understood(data) == understood(data[:cut], data[cut:])


def test_one_bad_request_does_not_spoil_the_next() -> None:
    requests = WholeRequests(LIMITS)
    for bad in (WHOLE.replace(b"Host: ", b"Ho\x01st: x\r\nHost: "), WHOLE.replace(b"identity", b"a\nb")):
        assert requests.read(bad) is None
        assert requests.read(WHOLE) is not None
    assert requests.read(WHOLE + WHOLE) is None
    assert requests.read(re.sub(b": 11", b": 10", WHOLE)) is None
