"""Answers as bytes: the headers of every call, of others, and the time."""

import time

import pytest

from kms_server.protocol.faults import COMMON
from kms_server.protocol.message import Response, StreamedResponse
from kms_server.server.http_writer import HttpWriter

ID = ("x-amzn-RequestId", "4f5d")
ERROR = ("x-amzn-ErrorType", "NotFoundException")


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> HttpWriter:
    monkeypatch.setattr(time, "time", lambda: 784_111_777.9)
    return HttpWriter()


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "headers",
    [(), COMMON, (*COMMON, ID), (*COMMON, ID, ERROR), (ID, *COMMON), COMMON[:3], (*COMMON[:3], ID), (ID,)],
)
@pytest.mark.parametrize("keep_alive", [True, False])
def test_an_answer_is_written_as_it_is(
    writer: HttpWriter, status: int, headers: tuple[tuple[str, str], ...], keep_alive: bool
) -> None:
    phrase = {200: "OK", 400: "Bad Request", 500: "Internal Server Error"}[status]
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        *(f"{name}: {value}" for name, value in headers),
        "Content-Length: 2",
    ]
    lines += ["Date: Sun, 06 Nov 1994 08:49:37 GMT", *(() if keep_alive else ("Connection: close",)), "", ""]
    head, answer = "\r\n".join(lines).encode(), Response(status, headers, b"{}")
    assert writer.render(answer, keep_alive=keep_alive, with_body=True) == head + b"{}"
    assert writer.render(answer, keep_alive=keep_alive, with_body=False) == head
    assert writer.render_head(StreamedResponse(status, headers, 2, ()), keep_alive=keep_alive) == head


def test_the_time_goes_on(writer: HttpWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Response(200, (), b"")
    for now, told in (
        (784_111_777.0, b":37 GMT"),
        (784_111_778.0, b":38 GMT"),
        (784_111_700.0, b":48:20 GMT"),
    ):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert told in writer.render(answer, keep_alive=True, with_body=True)


@pytest.mark.parametrize(
    "bad", [("X-A\r", "b"), ("X-A", "b\nc"), ("X-A", "b\rc"), ("X\n-A", ""), ("X-A", "\u20ac")]
)
@pytest.mark.parametrize("before", [(), COMMON])
def test_what_is_no_header_is_not_written(
    writer: HttpWriter, bad: tuple[str, str], before: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(ValueError, match=r"line break|latin-1"):
        writer.render(Response(200, (*before, bad), b""), keep_alive=True, with_body=True)
