"""A request that arrives whole is understood as it is when it comes in pieces, whatever is wrong with it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.config import Limits
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
WHOLE = b"\r\n".join([b"POST / HTTP/1.1", *LINES, b"", BODY])


def understood(*pieces: bytes) -> tuple[object, ...]:
    """The requests, whether each keeps its connection, and what becomes of that."""
    made = HttpReader(LIMITS, "192.0.2.7", None)
    for piece in pieces:
        made.receive(piece)
    found = []
    while (incoming := made.take()) is not None:
        found.append((incoming.request, incoming.keep_alive))
    return found, made.refusal, made.in_message


def test_what_clients_send_is_read_whole() -> None:
    read = WholeRequests(LIMITS).read(WHOLE)
    assert read is not None
    headers, body = read
    assert body == BODY
    assert headers == {
        name.decode().lower(): value.decode() for name, value in (line.split(b": ", 1) for line in LINES)
    }
    assert understood(WHOLE)[0]
    assert understood(WHOLE) == understood(WHOLE[:1], WHOLE[1:])


ODD = [
    b"Transfer-Encoding: chunked", b"Transfer-Encoding : chunked", b"Connection: close", b"Connection: keep-alive",
    b"Expect: 100-continue", b"Upgrade: h2c", b"Content-Length: 11", b"Content-Length: +11", b"Content-Length:\t11 ",
    b"content-length: 011", b"Host: other", b"host:", b"Host: a b", b"Host: a, b", b"Host: a/b", b"Host: a@b", b": empty", b"no colon", b" folded: line", b"\tfolded", b"X-A: \x00", b"X-A: a\rb",
    b"X-A: a\nHost: b", b"X-A: \xff\x80", b"X-A: \x7f", b"X\x01A: b", b"X-A:b", b"X-A:  b  ", b"X-A: a:b: c", b"x" * 400 + b": y", b"X-Y: " + b"y" * 900,
    b"Proxy-Connection: close", b"X-Amz-Target: other", b"X-A: one\r\nX-A: two", b"", b"\r",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_odd_lines(odd: bytes) -> None:
    for at in (0, 3, len(LINES)):
        data = b"\r\n".join([b"POST / HTTP/1.1", *LINES[:at], odd, *LINES[at:], b"", BODY])
        assert understood(data) == understood(data[:1], data[1:])
        # What stands in the place of another line.
        data = b"\r\n".join([b"POST / HTTP/1.1", *LINES[:at], odd, *LINES[at + 1 :], b"", BODY])
        assert understood(data) == understood(data[:1], data[1:])


_CHUNKS = [*LINES, *ODD, b"POST / HTTP/1.1", b"POST / HTTP/1.0", b"GET / HTTP/1.1", BODY, b"0", b"5;x=y"]
edits = st.lists(
    st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 4), st.binary(max_size=3) | st.sampled_from(_CHUNKS)),
    max_size=3,
)  # fmt: skip


@given(edits, st.integers(1, 20))
def test_any_bytes(changes: list[tuple[int, int, bytes]], cut: int) -> None:
    data = WHOLE
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
